import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { answersTo, gdbOn, NO_GDB, runLive, serve, sessionIn, valuesIn } from '../gdb/stock-gdb.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const DOCUMENT = readFileSync(new URL('../../docs/kernel-panic.md', import.meta.url), 'utf8');
const COMMAND_LINE = 'console=ttyS0 root=/dev/sda1 panic=-1 cryptomgr.notests=1';

const trace = join(folder, 'panic.trace');
const machine = ['-kernel', guestFile('vmlinuz'), '-append', COMMAND_LINE, '-m', '128', '-nodefaults', '-no-reboot'];
const run = [...machine, '--wall-clock', '2024-01-01T00:00:00Z', '--ticks', '5000000000'];

/** Functions of a backtrace, innermost first. */
const functionsIn = (text: string): string[] =>
  [...text.matchAll(/^#\d+ .* in (\w+) \(\)/gm)].map(([, name]) => name as string);

test(
  "stock gdb goes back from Debian's kernel panic to the write of the wrong root device, as the document says",
  without(NO_GDB, noGuests('vmlinuz')),
  async () => {
    const file = join(folder, 'kernel.sym');
    const { out } = retrovisor(['run', ...run, '-serial', 'stdio', '--trace', trace]);
    expect(out).toContain('Unable to mount root fs on unknown-block(0,0)');
    expect(retrovisor(['symbols', trace, '-o', file]).out).toMatch(/\d{5} symbols of the recorded kernel\.$/m);

    const session = sessionIn(DOCUMENT);
    const served = await serve(trace, '--once');
    const answers = await answersTo(served, folder, session, [file]);
    served.stop();
    const answerTo = (command: string, nth = 0): string =>
      answers[session.flatMap((each, at) => (each.command === command ? [at] : []))[nth] as number] as string;

    expect(answerTo('reverse-continue')).toMatch(/Breakpoint 1, 0x[0-9a-f]+ in panic \(\)/);
    const printed = [...(out.split('Kernel panic')[1] as string).matchAll(/\] {2}(\w+)\+0x/g)].map(([, name]) => name);
    expect(functionsIn(answerTo('backtrace'))).toEqual(printed.slice(1));
    expect(answerTo('x/s $rdi')).toContain('Unable to mount root fs on %s');
    expect(answerTo('print (char*)&saved_root_name')).toContain('"/dev/sda1"');
    expect(answerTo('print *(int*)&ROOT_DEV')).toBe('$2 = 0');
    expect(answerTo('reverse-continue', 1)).toMatch(/New value = 0\n0x[0-9a-f]+ in \w+ \(\)/);
    expect(functionsIn(answerTo('backtrace', 1))).toEqual(functionsIn(session[11]?.printed ?? ''));
    expect(functionsIn(answerTo('backtrace', 1))).toContain('root_dev_setup');
    expect(answerTo('x/3i $pc')).toMatch(/^=> .*mov .*,\(%r/);
    expect(answerTo('print (char*)&saved_root_name', 1)).toContain('<saved_root_name> ""');
    expect(answerTo('x/s *(char**)&saved_command_line')).toContain(COMMAND_LINE);
    expect(answerTo('stepi')).toMatch(/Old value = 0\nNew value = [1-9]/);
    expect(answerTo('finish')).toMatch(/in root_dev_setup \(\)$/);
    expect(answerTo('print (char*)&saved_root_name', 3)).toContain('"/dev/sda1"');
    expect(answerTo('print ((unsigned long (*)(void*))strlen)(&saved_root_name)')).toMatch(/^Forked at .*\n\$6 = 9$/);
  },
);

test(
  'stock gdb on the boot under way stops it, reads its names, goes back and lets it go on to the very same trace',
  without(NO_GDB, noGuests('vmlinuz')),
  async () => {
    const together = join(folder, 'together.trace');
    const file = join(folder, 'live.sym');
    const served = await runLive(...run, '-serial', 'stdio', '--trace', together, '--allow-write', folder);
    let out = '';
    served.process.stdout?.on('data', (bytes) => void (out += String(bytes)));
    const ended = new Promise((resolve) => served.process.on('exit', resolve));
    await until(() => out.includes('smpboot: Max logical packages'));
    const tick = String.raw`printf "tick=%d\n", $icount`;
    const interrupt = ['echo go\\n', 'continue', tick];
    const names = [`monitor symbols ${file}`, `symbol-file ${file}`, 'break vprintk', 'continue', 'backtrace', tick];
    const back = [
      'reverse-stepi 1000',
      tick,
      'reverse-continue',
      tick,
      'delete',
      'break panic',
      'continue',
      'backtrace',
    ];
    let pressed = 0;
    const seen = await gdbOn(served, folder, [tick, ...interrupt, ...names, ...back], [], (text, { pid }) => {
      const asked = text.split('go\n').length - 1;
      for (; pressed < asked; pressed += 1) setTimeout(() => process.kill(pid as number, 'SIGINT'), 700);
    });
    expect(await ended).toBe(0);
    expect(seen).toContain('Program received signal SIGINT');
    const ticks = valuesIn(seen, 'tick').map(Number);
    expect(ticks[1]).toBeGreaterThan(ticks[0] as number);
    expect(ticks[3]).toBe((ticks[2] as number) - 1000);
    expect(functionsIn(seen)).toContain('vprintk');
    expect(functionsIn(seen)).toContain('mount_block_root');
    expect(retrovisor(['diff', trace, together]).out).toContain('the runs do not differ');
  },
);

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

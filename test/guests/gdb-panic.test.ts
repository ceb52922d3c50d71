import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { answersTo, hasGdb, serve, sessionIn } from '../debugger/gdb/stock-gdb.ts';
import { guestFile, haveGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const DOCUMENT = readFileSync(new URL('../../docs/kernel-panic.md', import.meta.url), 'utf8');
const COMMAND_LINE = 'console=ttyS0 root=/dev/sda1 panic=-1 cryptomgr.notests=1';

/** Functions of a backtrace, innermost first. */
const functionsIn = (text: string): string[] =>
  [...text.matchAll(/^#\d+ .* in (\w+) \(\)/gm)].map(([, name]) => name as string);

test.skipIf(!hasGdb || !haveGuests('vmlinuz'))(
  "stock gdb goes back from Debian's kernel panic to the write of the wrong root device, as the document says",
  async () => {
    const trace = join(folder, 'panic.trace');
    const file = join(folder, 'kernel.sym');
    const machine = ['-kernel', guestFile('vmlinuz'), '-append', COMMAND_LINE, '-m', '128'];
    const run = ['-nodefaults', '-no-reboot', '-serial', 'stdio', '--wall-clock', '2024-01-01T00:00:00Z'];
    const { out } = retrovisor(['run', ...machine, ...run, '--ticks', '5000000000', '--trace', trace]);
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
  },
);

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LONG } from '../how-long.ts';
import { tool, without } from '../stepping-aside.ts';
import { fakeRealMode } from '../vmm/loaders/kernels.ts';
import { retrovisor, scratchFolder } from './command-line.ts';
import { expectFolds, expectReruns } from './trace-alone.ts';

const folder = scratchFolder();
const program = (name: string): string => fileURLToPath(new URL(`boot/${name}.elf`, import.meta.url));
const BIOS_READER = program('bios');
const EXIT = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];
const QEMU = 'qemu-system-x86_64';

const lines = (text: string): string[] => text.replaceAll('\r', '').split('\n');

/** Machines whose tables differ. */
const MACHINES = [
  ['one processor and one line', '-m 256'],
  ['more processors than one and three lines', '-m 300 -smp 3 -serial null -serial null'],
] as const;

describe('what a BIOS leaves in memory, without firmware', () => {
  test.each(MACHINES)(
    'with %s a kernel reads what it reads on QEMU',
    { ...LONG, ...without(tool(QEMU)) },
    (_, machine) => {
      const argv = ['-nodefaults', '-serial', 'stdio', ...machine.split(' '), ...EXIT, '-kernel', BIOS_READER];
      const qemu = spawnSync(QEMU, ['-accel', 'tcg', '-display', 'none', ...argv], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect(qemu.stdout).toContain('done');
      const { out, status } = retrovisor(['run', ...ours(argv), '--no-trace']);
      expect(lines(out)).toEqual(lines(qemu.stdout));
      expect(status).toBe(qemu.status);
    },
  );

  test('tables are found, real mode has its interrupts, and the run is held by its trace', LONG, async () => {
    const trace = join(folder, 'bios.trace');
    const argv = ['-nodefaults', '-serial', 'stdio', ...EXIT, '-kernel', BIOS_READER, '--wall-clock', '1700000000'];
    const { out } = retrovisor(['run', ...argv, '--trace', trace]);
    expect(out).toContain('ebda 9fc0 equipment 206 base 27f ebda size 1');
    expect(out).toContain('mp f5ba0 table f5bb0 sum 0');
    expect(out).toContain('real mode: ticks 2');
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expectFolds(trace);
    await expectReruns(trace);
  });
});

describe('modules of a multiboot kernel', () => {
  for (const [name, content] of [
    ['one', 'first module'],
    ['two,', 'x'],
    ['three', 'y'.repeat(5000)],
  ] as const) {
    writeFileSync(join(folder, name), content);
  }
  const initrd = 'one a,,b  c,two,,,three -- d=e,,f,two,, last';
  const argv = [
    '-nodefaults',
    '-serial',
    'stdio',
    '-m',
    '64',
    ...EXIT,
    '-kernel',
    program('modules'),
    '-append',
    'x y',
  ];

  test('have their command lines, as on QEMU', { ...LONG, ...without(tool(QEMU)) }, () => {
    const options = { encoding: 'utf8', timeout: 60_000, cwd: folder } as const;
    const qemu = spawnSync(QEMU, ['-accel', 'tcg', '-display', 'none', ...argv, '-initrd', initrd], options);
    expect(qemu.stdout).toContain('two, last');
    const { out } = retrovisor(['run', '--no-trace', ...argv, '-initrd', listed(initrd)]);
    // The kernel's own name is its base name here.
    expect(lines(out)).toEqual(lines(qemu.stdout.replace(/^magic(.*) \S+modules.elf/m, 'magic$1 modules.elf')));
  });

  test('are images of the trace, found again by content', LONG, () => {
    const trace = join(folder, 'modules.trace');
    const { out } = retrovisor(['run', '--trace', trace, ...argv, '-initrd', listed(initrd)]);
    expect(out).toContain('three -- d=e,f');
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expect(retrovisor(['replay', trace, '--initrd', listed(initrd)]).out).toContain('0 divergences');
    expect(retrovisor(['rerun', trace]).out).toContain('0 divergences');
    expect(retrovisor(['replay', trace, '--initrd', join(folder, 'one')]).out).toContain('0 divergences');
    const other = `${join(folder, 'one')},${join(folder, 'three')}`;
    expect(retrovisor(['replay', trace, '--initrd', other]).err).toMatch(
      /three is not the module2 this trace was recorded with\. .*--image/,
    );
  });
});

describe('an ELF kernel with a PVH entry', () => {
  const argv = ['-nodefaults', '-serial', 'stdio', '-m', '64', ...EXIT, '-kernel', program('pvh'), '-append', 'x, y'];
  const module = join(folder, 'module');
  writeFileSync(module, 'z'.repeat(5000));

  test('is told what QEMU tells it', { ...LONG, ...without(tool(QEMU)) }, () => {
    const started = ['-accel', 'tcg', '-display', 'none', ...argv, '-initrd', module];
    const qemu = spawnSync(QEMU, started, { encoding: 'utf8', timeout: 60_000 });
    expect(qemu.stdout).toContain('magic 336ec578 version 1');
    const { out, status } = retrovisor(['run', '--no-trace', ...argv, '-initrd', module]);
    expect(lines(out)).toEqual(lines(qemu.stdout));
    expect(status).toBe(qemu.status);
  });

  test('starts without a module, and the run is held by its trace', LONG, async () => {
    const trace = join(folder, 'pvh.trace');
    const { out } = retrovisor(['run', '--trace', trace, ...argv]);
    expect(out).toContain('modules 0');
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expectFolds(trace);
    await expectReruns(trace);
  });
});

describe('a bzImage that starts in real mode', () => {
  // INT 10h and 16h, then 'R', the stack's segment and place, and isa-debug-exit.
  const print = (...load: number[]): number[] => [...load, 0xee];
  const code = [
    ...[0xb4, 0x0f, 0xcd, 0x10, 0xb4, 0x02, 0xcd, 0x16, 0xba, 0xf8, 0x03],
    ...print(0xb0, 0x52),
    ...print(0x8c, 0xd0, 0x88, 0xe0),
    ...print(0x89, 0xe0, 0x88, 0xe0),
    ...[0xb0, 0x10, 0xe6, 0xf4, 0xf4],
  ];
  const image = join(folder, 'real.lkrn');
  writeFileSync(image, fakeRealMode(code));
  const argv = ['-nodefaults', '-serial', 'stdio', '-m', '64', ...EXIT, '-kernel', image];
  /** R, then SS and SP by their high bytes: 10h and ffh. */
  const SAID = 'R\x10\u{fffd}';

  test('runs its setup code without firmware, with a word about it; BIOS calls return', LONG, async () => {
    const trace = join(folder, 'real.trace');
    const { out, err, status } = retrovisor(['run', '--trace', trace, ...argv]);
    expect([out, status]).toEqual([SAID, 33]);
    expect(err).toContain('real.lkrn starts in real mode and may call a BIOS, of which there is none');
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expectFolds(trace);
    await expectReruns(trace);
  });

  test('is entered as QEMU enters it', { ...LONG, ...without(tool(QEMU)) }, () => {
    const started = ['-accel', 'tcg', '-display', 'none', ...argv];
    const qemu = spawnSync(QEMU, started, { encoding: 'utf8', timeout: 60_000 });
    expect([qemu.stdout, qemu.status]).toEqual([SAID, 33]);
  });
});

/** The same list with the files' places. */
const listed = (initrd: string): string => initrd.replace(/(?<=^|[^,],|,,,)(?=one|two|three)/g, `${folder}/`);

/** A line that prints nowhere, as ours has it. */
const ours = (argv: readonly string[]): string[] =>
  argv.map((word) => (word === 'null' ? `file:${join(folder, 'line')}` : word));

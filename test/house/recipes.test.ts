import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeMultiboot } from '../vmm/loaders/kernels.ts';
import { LONG } from '../how-long.ts';
import { ROOT, textOf } from './sources.ts';

/** One step of a recipe: a new file, or a line for a file there is. */
interface Step {
  readonly file: string;
  readonly code: string;
  readonly isFile: boolean;
}

/** The steps of one section of docs/adding.md: a block of code belongs to the path named last before it. */
function stepsOf(title: string): Step[] {
  const [, rest] = textOf('docs/adding.md').split(new RegExp(`^#+ ${title}\n`, 'm'));
  const section = rest?.split(/^#/m)[0] ?? '';
  const steps: Step[] = [];
  let file = '';
  for (const [, path, code] of section.matchAll(/`(src\/[^`]+\.ts)`|^ *```ts\n(.*?)\n *```$/gms)) {
    if (path !== undefined) file = path;
    if (code === undefined) continue;
    const isFile = code.includes('\n');
    steps.push({ file, code: isFile ? `${code}\n` : code.trim(), isFile });
  }
  return steps;
}

/** After which line of a file a line of a recipe goes. Undefined: to its end. */
const PLACES: Readonly<Record<string, string>> = {
  'src/x86/exit-reasons.ts': 'export const EXIT_REASONS = {',
  'src/kvm/exits/table.ts': 'const HANDLERS: Readonly<Partial<Record<ExitName, ExitHandler>>> = {',
  'src/kvm/vmcs/controls.ts': '  secondary:',
  'src/events/device.ts': 'export const DEVICE_FACTS = {',
  'src/reducers/table/device.ts': 'export const DEVICE_ROWS: Rows<keyof typeof DEVICE_FACTS> = {',
  'src/devices/debug-ports/index.ts': '  read: () => 0xff,',
  'src/debugger/views/catalog.ts': 'export const VIEWS: Readonly<Record<string, View>> = {',
};

function withLine(text: string, { file, code }: Step): string {
  if (code.startsWith('import ')) return `${code}\n${text}`;
  const place = PLACES[file];
  if (place === undefined) return `${text}${code}\n`;
  const [before, after, ...more] = text.split(`\n${place}\n`);
  expect([file, after === undefined, more.length]).toEqual([file, false, 0]);
  return `${before}\n${place}\n${code}\n${after}`;
}

const RECIPES = [
  'An ISA device with input and output',
  'A PCI device with MSI-X',
  'An event',
  'A view',
  'A VM-exit reason',
];

/** Writes a POST code, then runs ENCLV in flat protected mode; the handler of #UD prints a letter and ends the run. */
const GUEST = Uint8Array.of(
  ...[0xb0, 0x42, 0xe6, 0x80], // mov al, 0x42; out 0x80, al
  ...[0xbc, 0x00, 0x20, 0x40, 0x00], // mov esp, 0x402000
  ...[0x0f, 0x01, 0x15, 0x40, 0x00, 0x40, 0x00], // lgdt [0x400040]
  ...[0x0f, 0x01, 0x1d, 0x48, 0x00, 0x40, 0x00], // lidt [0x400048]
  ...[0x0f, 0x01, 0xc0], // enclv
  0xf4, // hlt
);
const ON_UD = Uint8Array.of(
  ...[0xba, 0xf8, 0x03, 0x00, 0x00], // mov edx, 0x3f8
  ...[0xb0, 0x55, 0xee], // mov al, 'U'; out dx, al
  ...[0xb0, 0x10, 0xe6, 0xf4, 0xf4], // mov al, 0x10; out 0xf4, al; hlt
);

/** The guest as a multiboot kernel at 4 MiB: code at 0x10, tables from 0x40, #UD's handler at 0xc0. */
function kernel(): Uint8Array {
  const bytes = fakeMultiboot(0x200, 0x4000);
  const view = new DataView(bytes.buffer, 0x100);
  bytes.set(GUEST, 0x100 + 0x10);
  bytes.set(ON_UD, 0x100 + 0xc0);
  view.setUint16(0x40, 0x0f, true);
  view.setUint32(0x42, 0x400050, true);
  view.setUint16(0x48, 0x37, true);
  view.setUint32(0x4a, 0x400060, true);
  view.setBigUint64(0x58, 0x00cf9b000000ffffn, true);
  view.setBigUint64(0x60 + 6 * 8, 0x0040_8e00_0008_00c0n, true);
  return bytes;
}

/** What a recipe costs beside its file or first row. */
const otherLines = (steps: readonly Step[]): number => {
  const lines = steps.filter(({ isFile }) => !isFile).length;
  return steps.some(({ isFile }) => isFile) ? lines : lines - 1;
};

test.each(RECIPES)('%s is one folder, file or row and at most two lines', (title) => {
  const steps = stepsOf(title);
  expect(steps.length).toBeGreaterThan(1);
  expect(steps.filter(({ isFile }) => isFile).length).toBeLessThan(2);
  expect(otherLines(steps)).toBeLessThan(3);
});

describe('a copy of the sources in which docs/adding.md was carried out', LONG, () => {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-adding-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const run = (command: string, ...args: readonly string[]): { status: number | null; out: string } => {
    const ran = spawnSync(process.execPath, [command, ...args], { cwd: folder, encoding: 'utf8', input: '' });
    return { status: ran.status, out: ran.stdout + ran.stderr };
  };
  const retrovisor = (...args: readonly string[]) => run('bin/retrovisor.js', ...args);
  const program = (name: string): string => join(ROOT, 'test/guests/devices', `${name}.elf`);
  const EXIT = ['-nodefaults', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-m', '16'];

  function expectHeld(trace: string): void {
    for (const command of ['replay', 'fold', 'rerun']) {
      expect(retrovisor(command, trace), command).toMatchObject({ status: 0 });
    }
  }

  beforeAll(() => {
    for (const name of ['src', 'bin', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'guest.elf'), kernel());
    for (const step of RECIPES.flatMap(stepsOf)) {
      const path = join(folder, step.file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, step.isFile ? step.code : withLine(readFileSync(path, 'utf8'), step));
    }
    const built = run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
    expect(built).toEqual({ status: 0, out: '' });
  });

  test('has an ISA device that a guest talks to', () => {
    const chardev = [
      '-serial',
      'none',
      '-chardev',
      'stdio,id=c',
      '-device',
      'isa-echo,chardev=c',
      '--type',
      'hello\\n',
    ];
    const ran = retrovisor('run', ...EXIT, ...chardev, '-kernel', program('echo'), '--trace', 'echo.trace');
    expect(ran).toMatchObject({ status: 33, out: expect.stringContaining('hello') });
    expect(retrovisor('run', '-device', 'isa-echo,help').out).toContain('iobase');
    expectHeld('echo.trace');
  });

  test('has a PCI device whose MSI-X interrupts a guest takes', () => {
    const ran = retrovisor(
      'run',
      ...EXIT,
      '-serial',
      'stdio',
      '-device',
      'raiser',
      '-kernel',
      program('msix'),
      '--trace',
      'msix.trace',
    );
    expect(ran).toMatchObject({ status: 33, out: expect.stringContaining('1u0f10') });
    expect(retrovisor('events', 'msix.trace', '--event', 'kvm_msi_set_irq').out).toContain('kvm_msi_set_irq');
    expectHeld('msix.trace');
  });

  test('has an event, a view and a VM-exit reason of which a guest is the cause', () => {
    const ran = retrovisor('run', ...EXIT, '-serial', 'stdio', '-kernel', 'guest.elf', '--trace', 'guest.trace');
    expect(ran).toMatchObject({ status: 33, out: expect.stringContaining('U') });
    expect(retrovisor('events', 'guest.trace', '--event', 'sim:post_code').out).toContain('code 0x42');
    const asked = retrovisor('debug', 'guest.trace', '--batch', '--ex', 'at end', '--ex', 'post', '--ex', 'help');
    expect(asked.out).toContain('POST code 0x42');
    expect(asked.out).toContain('the last POST code');
    expect(retrovisor('stat', 'guest.trace').out).toMatch(/^ *ENCLV +1 /m);
    expect(retrovisor('events', 'guest.trace').out).toContain('reason ENCLV');
    expectHeld('guest.trace');
  });
});

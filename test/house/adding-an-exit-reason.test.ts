import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeMultiboot } from '../vmm/loaders/kernels.ts';
import { LONG } from '../how-long.ts';
import { ROOT, textOf } from './sources.ts';

/** Where a step of the recipe goes: its line follows this one. */
const PLACES = [
  { file: 'src/x86/exit-reasons.ts', after: 'export const EXIT_REASONS = {' },
  {
    file: 'src/kvm/exits/table.ts',
    after: 'const HANDLERS: Readonly<Partial<Record<ExitName, ExitHandler>>> = {',
  },
  { file: 'src/kvm/vmcs/controls.ts', after: '  secondary:' },
];

const section = (textOf('docs/adding.md').split('## A VM-exit reason\n')[1] as string).split('\n## ')[0] as string;
const steps = [...section.matchAll(/```ts\n *(.*)\n *```/g)].map(([, line]) => line as string);

/** ENCLV in flat protected mode; the handler of #UD prints a letter and leaves with status 33. */
const GUEST = Uint8Array.of(
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

/** Carries the recipe out on a copy of the sources, and runs a guest that causes the exit. */
describe('a VM-exit reason, added by docs/adding.md', LONG, () => {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-adding-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const retrovisor = (...args: readonly string[]): { status: number | null; out: string } => {
    const ran = spawnSync(process.execPath, ['bin/retrovisor.js', ...args], {
      cwd: folder,
      encoding: 'utf8',
      input: '',
    });
    return { status: ran.status, out: ran.stdout + ran.stderr };
  };

  beforeAll(() => {
    for (const name of ['src', 'bin', 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'enclv.elf'), kernel());
    PLACES.forEach(({ file, after }, at) => {
      const path = join(folder, file);
      const text = readFileSync(path, 'utf8');
      expect(text.split(`\n${after}\n`)).toHaveLength(2);
      writeFileSync(path, text.replace(`\n${after}\n`, `\n${after}\n${steps[at]}\n`));
    });
  });

  test('is one row and two lines', () => {
    expect(steps).toHaveLength(PLACES.length);
    expect(steps.every((line) => !line.includes('\n'))).toBe(true);
  });

  test('is caused by a guest, counted by name, replayed and folded', () => {
    const devices = ['-nodefaults', '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4', '-serial', 'stdio'];
    const ran = retrovisor('run', '-m', '16', '-kernel', 'enclv.elf', ...devices, '--trace', 'enclv.trace');
    expect(ran).toMatchObject({ status: 33, out: expect.stringContaining('U') });
    expect(retrovisor('stat', 'enclv.trace').out).toMatch(/^ *ENCLV +1 /m);
    expect(retrovisor('events', 'enclv.trace').out).toContain('reason ENCLV');
    for (const command of ['replay', 'fold', 'rerun']) {
      expect(retrovisor(command, 'enclv.trace'), command).toMatchObject({ status: 0 });
    }
  });
});

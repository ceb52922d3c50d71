import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { replay } from '../../src/api/index.ts';
import { LONG } from '../how-long.ts';

const ENTRY = fileURLToPath(new URL('../../bin/retrovisor.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'retrovisor-signals-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RESET_VECTOR = 0xfff0;
const SAYS_READY = [0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee]; // mov dx,0x3f8; mov al,'!'; out dx,al

/** Guests that never come to an end by themselves, and do not let anybody in. */
const GUESTS: readonly (readonly [what: string, code: readonly number[]])[] = [
  ['spins with interrupts off', [0xfa, 0xeb, 0xfe]], // cli; jmp to itself
  ['halts with interrupts off', [0xfa, 0xf4]], // cli; hlt
  [
    'reads a port sixteen thousand times in each instruction',
    [
      ...[0x31, 0xc0, 0x8e, 0xc0], // xor ax,ax; mov es,ax
      ...[0xb9, 0x00, 0x40, 0x31, 0xff, 0xba, 0x92, 0x00], // mov cx,0x4000; xor di,di; mov dx,0x92
      ...[0xf3, 0x6c, 0xeb, 0xf4], // rep insb; jmp to mov cx
    ],
  ],
  // xor ax,ax; mov ds,ax; lidt [0x500], which is zero; int3
  ['starts again for ever by triple faults', [0x31, 0xc0, 0x8e, 0xd8, 0x0f, 0x01, 0x1e, 0x00, 0x05, 0xcc]],
  [
    'faults without end',
    [
      ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70], // xor ax,ax; mov ds,ax; mov ss,ax; mov sp,0x7000
      ...[0xc7, 0x06, 0x18, 0x00, 0x1d, 0x00], // mov word [0x18],offset of ud2: vector 6
      ...[0xc7, 0x06, 0x1a, 0x00, 0x00, 0xf0], // mov word [0x1a],0xf000
      ...[0x90, 0x90, 0x0f, 0x0b], // ud2
    ],
  ],
];

function firmware(at: number, code: readonly number[]): string {
  const image = new Uint8Array(0x10000);
  image.set([...SAYS_READY, ...code]);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], RESET_VECTOR); // ljmp 0xf000:0
  const path = join(folder, `guest${at}.bin`);
  writeFileSync(path, image);
  return path;
}

/** Run a guest, send the signal once it has said that it is there. */
async function ended(bios: string, trace: string, signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
  const machine = ['-bios', bios, '-m', '2', '-nodefaults', '-serial', 'stdio', '--trace', trace];
  const child = spawn(process.execPath, [ENTRY, 'run', ...machine], { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await once(child.stdout, 'data');
  child.kill(signal);
  const [status, by] = await exited;
  return status ?? by;
}

describe('a signal ends a run whose guest', LONG, () => {
  test.each(GUESTS.map(([what, code], at) => ({ what, code, at })))('$what', async ({ code, at }) => {
    const trace = join(folder, `guest${at}.trace`);
    expect(await ended(firmware(at, code), trace, 'SIGTERM')).toBe(143);
    const again = await replay(trace);
    expect(again).toMatchObject({ agreed: again.events, divergence: undefined, damage: undefined });
  });
});

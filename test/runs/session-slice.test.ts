import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-slice-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RESET_VECTOR = 0xfff0;

/** A firmware image that begins with this code. */
function firmware(name: string, code: readonly number[]): string {
  const image = new Uint8Array(0x10000);
  image.set(code);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], RESET_VECTOR); // ljmp 0xf000:0
  const path = join(folder, name);
  writeFileSync(path, image);
  return path;
}

/** A thousand accesses of a port in one instruction, again and again. */
const LONG_INSTRUCTIONS = [
  ...[0x31, 0xc0], // xor ax,ax
  ...[0x8e, 0xc0], // mov es,ax
  ...[0xb9, 0x00, 0x40], // mov cx,0x4000
  ...[0xbf, 0x00, 0x10], // mov di,0x1000
  ...[0xba, 0x92, 0x00], // mov dx,0x92
  ...[0xf3, 0x6c], // rep insb
  ...[0xeb, 0xf3], // jmp to mov cx
];

const MACHINE = ['-m', '2', '-nodefaults', '--no-trace', '--wall-clock', '1700000000'];
const OUTPUT = { serial: () => undefined, character: () => undefined };

describe('a slice of a run', () => {
  test('is over in time whatever the guest does, and being cut changes nothing', () => {
    const options = runOptions(['-bios', firmware('long.bin', LONG_INSTRUCTIONS), ...MACHINE]);
    let hostTime = 0;
    const session = openSession({ ...NODE, milliseconds: () => (hostTime += 1) }, options, OUTPUT);
    const whole = openSession(NODE, options, OUTPUT);
    expect(session.run(2, false)).toEqual({ pause: 'slice' });
    expect(session.figures().events).toBeLessThan(50_000);
    const later = session.figures().ticks + 5;
    for (const { view } of [session, whole]) view.machine.advance({ tick: later });
    expect(whole.state().at).toEqual(session.state().at);
    expect(whole.view.machine.pages.digest()).toBe(session.view.machine.pages.digest());
    session.close();
  });
});

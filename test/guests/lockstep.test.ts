import { describe, expect, test } from 'vitest';
import { KERNEL_ENTRY, showWalk, walkFirmware, walkKernel } from '../oracle/lockstep.ts';
import type { Walk } from '../oracle/lockstep/walk.ts';
import { without, tool } from '../stepping-aside.ts';
import { guestFile, noGuests } from './command-line.ts';

const NO_QEMU = tool('qemu-system-x86_64');
const FIRMWARE_STEPS = 300_000;
const KERNEL_STEPS = 200_000;
const SINGLE_STEPS = 20_000;

/** `compared`: how often at the least. Outside of single steps, a walk compares where it comes to a new place. */
function expectEqual(name: string, walk: Walk, steps: number, compared: number): void {
  console.log(showWalk(name, walk));
  expect(walk.mismatch).toBeUndefined();
  expect(walk.ended).toBeUndefined();
  expect(walk.steps).toBeGreaterThanOrEqual(steps);
  expect(walk.compared).toBeGreaterThan(compared);
}

describe('lockstep with QEMU TCG through its gdb stub', without(NO_QEMU, noGuests('bios-256k.bin', 'vmlinuz')), () => {
  test('SeaBIOS runs from the reset vector with equal registers, flags and selectors', () => {
    const walk = walkFirmware(guestFile('bios-256k.bin'), FIRMWARE_STEPS, false);
    expectEqual('SeaBIOS', walk, FIRMWARE_STEPS, 4000);
  });

  test("Linux's decompressor runs from its entry point with equal registers, flags and selectors", () => {
    const walk = walkKernel(guestFile('vmlinuz'), KERNEL_STEPS, false, [KERNEL_ENTRY])[0]!;
    expectEqual('Linux decompressor', walk, KERNEL_STEPS, 20);
  });

  test("the decompressor's first instructions are equal one by one", () => {
    const walk = walkKernel(guestFile('vmlinuz'), SINGLE_STEPS, true, [KERNEL_ENTRY])[0]!;
    expectEqual('Linux decompressor, single steps', walk, SINGLE_STEPS, SINGLE_STEPS - 100);
  });
});

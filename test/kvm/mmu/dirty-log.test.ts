import { describe, expect, test } from 'vitest';
import {
  KVM_CHECK_EXTENSION,
  KVM_CLEAR_DIRTY_LOG,
  KVM_ENABLE_CAP,
  KVM_GET_DIRTY_LOG,
  KVM_MEM_LOG_DIRTY_PAGES,
} from '../../../src/kvm/ioctl/ioctls.ts';
import { type RealGuest, realGuest } from '../real-guest.ts';

const MANUAL = 168;
const EINVAL = -22;
const ENOENT = -2;
const PAGES = 256;

/** mov byte [0x3000], 1; mov byte [0x5000], 1; hlt */
const WRITES = [0xc6, 0x06, 0, 0x30, 1, 0xc6, 0x06, 0, 0x50, 1, 0xf4];

const logging = (options: number): RealGuest =>
  realGuest(WRITES, {
    slotFlags: KVM_MEM_LOG_DIRTY_PAGES,
    before: (kvm, vm) => void kvm.ioctl(vm, KVM_ENABLE_CAP, { cap: MANUAL, args: [BigInt(options)] }),
  });

function dirtyPages(machine: RealGuest): number[] {
  const bitmap = new Uint8Array(PAGES / 8);
  expect(machine.vmIoctl(KVM_GET_DIRTY_LOG, { slot: 0, bitmap })).toBe(0);
  return Array.from({ length: PAGES }, (_, page) => page).filter(
    (page) => ((bitmap[page >> 3]! >> (page & 7)) & 1) !== 0,
  );
}

function runAgain(machine: RealGuest): void {
  machine.setRegs({ rip: 0x1000n });
  expect(machine.next()).toBe(5);
}

const clear = (machine: RealGuest, firstPage: number, numPages: number, bytes: readonly number[]): number =>
  machine.vmIoctl(KVM_CLEAR_DIRTY_LOG, { slot: 0, firstPage, numPages, bitmap: Uint8Array.from(bytes) });

const all = (bytes: number): number[] => new Array<number>(bytes).fill(0xff);

describe('the dirty log', () => {
  test('is cleaned by reading it, and the next write counts again', () => {
    const machine = logging(0);
    runAgain(machine);
    expect(dirtyPages(machine)).toEqual([3, 5]);
    expect(dirtyPages(machine)).toEqual([]);
    runAgain(machine);
    expect(dirtyPages(machine)).toEqual([3, 5]);
  });

  test('under manual protection stays until KVM_CLEAR_DIRTY_LOG names its pages', () => {
    const machine = logging(1);
    runAgain(machine);
    expect(dirtyPages(machine)).toEqual([3, 5]);
    expect(dirtyPages(machine)).toEqual([3, 5]);
    expect(clear(machine, 0, 64, [0b1000, 0, 0, 0, 0, 0, 0, 0])).toBe(0);
    expect(dirtyPages(machine)).toEqual([5]);
    runAgain(machine);
    expect(dirtyPages(machine)).toEqual([3, 5]);
  });

  test('starts all dirty where user space asked so, and writes after the first clearing are seen', () => {
    const machine = logging(3);
    expect(dirtyPages(machine)).toHaveLength(PAGES);
    runAgain(machine);
    expect(clear(machine, 0, PAGES, all(PAGES / 8))).toBe(0);
    expect(dirtyPages(machine)).toEqual([]);
    runAgain(machine);
    expect(dirtyPages(machine)).toEqual([3, 5]);
  });

  test('clears ranges of whole 64-page words, up to the end of the slot', () => {
    const machine = logging(1);
    expect(clear(machine, 64, PAGES - 64, all(24))).toBe(0);
    expect(clear(machine, 32, 64, all(8))).toBe(EINVAL);
    expect(clear(machine, 64, 63, all(8))).toBe(EINVAL);
    expect(clear(machine, 0, PAGES + 64, all(40))).toBe(EINVAL);
    const gone = { slot: 3, firstPage: 0, numPages: 64, bitmap: new Uint8Array(8) };
    expect(machine.vmIoctl(KVM_CLEAR_DIRTY_LOG, gone)).toBe(ENOENT);
    expect(machine.vmIoctl(KVM_GET_DIRTY_LOG, gone)).toBe(ENOENT);
  });

  test('offers and takes the options Linux has', () => {
    const machine = realGuest([0xf4]);
    expect(machine.vmIoctl(KVM_CHECK_EXTENSION, MANUAL)).toBe(3);
    expect(machine.vmIoctl(KVM_ENABLE_CAP, { cap: MANUAL, args: [4n] })).toBe(EINVAL);
  });
});

import { describe, expect, test } from 'vitest';
import type { Draft } from '../../../src/base/draft.ts';
import {
  type Capability,
  type ConfigLayout,
  causeOf,
  configWritten,
  functionAtReset,
  getConfig,
  isMasked,
  isPending,
  messageOf,
  messagesOf,
  msi,
  msix,
  type PciFunctionState,
  placeCapabilities,
  vectorPending,
} from '../../../src/devices/pci/index.ts';
import { resetFunction } from '../../../src/devices/pci/function.ts';

const IDENTITY = { vendorId: 0x1234, deviceId: 0x5678, classCode: 0x00_ff_00 };

/** A function with these, and a guest's writes to it. */
function made(...rows: Capability[]) {
  const layout: ConfigLayout = { bars: [], capabilities: placeCapabilities(rows) };
  const state = functionAtReset(IDENTITY, layout) as Draft<PciFunctionState>;
  const read = (offset: number, size: number): number => getConfig(state.config, offset, size);
  const write = (offset: number, size: number, value: number): void =>
    configWritten(layout, state, offset, size, value);
  return { layout, state, read, write };
}

/** Bits of a doubleword a guest can write. */
function writable({ read, write }: ReturnType<typeof made>, offset: number): number {
  write(offset, 4, 0xffff_ffff);
  const set = read(offset, 4);
  write(offset, 4, 0);
  return (set ^ read(offset, 4)) >>> 0;
}

describe('a list of capabilities', () => {
  test('begins with the one added last, each on a doubleword, and the status says there is one', () => {
    const { read } = made(msi({ vectors: 1 }), msix({ vectors: 2, bar: 1 }));
    expect(read(6, 2) & 0x10).toBe(0x10);
    expect([read(0x34, 1), read(0x50, 2), read(0x40, 2)]).toEqual([0x50, 0x4011, 0x0005]);
    expect([read(0x52, 2), read(0x54, 4), read(0x58, 4)]).toEqual([1, 1, 0x801]);
  });

  test('is read-only but for what a capability says, and the bytes between are the guest’s', () => {
    const fn = made(msi({ vectors: 4, is64: true, perVectorMask: true, offset: 0x60 }), msix({ vectors: 3, bar: 4 }));
    expect([0x40, 0x5c, 0x78, 0x7c].map((at) => writable(fn, at))).toEqual([0xffff_ffff, 0xffff_ffff, 0xc000_0000, 0]);
    expect([0x64, 0x68, 0x6c, 0x70, 0x74].map((at) => writable(fn, at))).toEqual([
      0xffff_fffc, 0xffff_ffff, 0xffff, 0xf, 0,
    ]);
  });

  test('of a function without any is empty', () => {
    const { read } = made();
    expect([read(6, 2), read(0x34, 1)]).toEqual([0, 0]);
  });
});

describe('MSI', () => {
  const CONTROL = 0x42;
  const MASK = 0x50;
  const PENDING = 0x54;
  const four = () => made(msi({ vectors: 4, perVectorMask: true }));
  const rowOf = ({ layout, state }: ReturnType<typeof made>) => messagesOf(layout, state)!;

  test('says the vector in the low bits of its data, as many as the guest allows', () => {
    const fn = four();
    fn.write(0x44, 4, 0xfee0_0000);
    fn.write(0x4c, 2, 0x57);
    fn.write(CONTROL, 2, 0x21);
    expect(messageOf(fn.state, rowOf(fn), 2)).toEqual({ address: 0xfee0_0000n, data: 0x56 });
    fn.write(CONTROL, 2, 0x01);
    expect(messageOf(fn.state, rowOf(fn), 0).data).toBe(0x57);
    fn.write(CONTROL, 2, 0x71);
    expect(fn.read(CONTROL, 2)).toBe(0x01a5);
  });

  test('keeps what is masked pending, with its first cause, and forgets vectors that are taken away', () => {
    const fn = four();
    fn.write(CONTROL, 2, 0x21);
    fn.write(MASK, 4, 0xf);
    expect(isMasked(fn.state, rowOf(fn), 3)).toBe(true);
    vectorPending(fn.layout, fn.state, { vector: 3, pending: true }, 70);
    vectorPending(fn.layout, fn.state, { vector: 3, pending: true }, 80);
    vectorPending(fn.layout, fn.state, { vector: 0, pending: true }, 90);
    expect([fn.read(PENDING, 4), causeOf(fn.state, rowOf(fn), 3)]).toEqual([9, 70]);
    fn.write(CONTROL, 2, 0x11);
    expect(fn.read(PENDING, 4)).toBe(1);
    vectorPending(fn.layout, fn.state, { vector: 0, pending: false }, 91);
    expect([fn.read(PENDING, 4), isPending(fn.state, rowOf(fn), 0)]).toEqual([0, false]);
  });

  test('is off and empty after a reset', () => {
    const fn = four();
    fn.write(0x44, 4, 0xfee0_0000);
    fn.write(CONTROL, 2, 0x21);
    fn.write(MASK, 4, 0xf);
    vectorPending(fn.layout, fn.state, { vector: 0, pending: true }, 1);
    resetFunction(fn.state, fn.layout);
    expect(fn.state).toEqual(four().state);
    expect(messagesOf(fn.layout, fn.state)).toBeUndefined();
  });
});

test('a table that does not fit half a page moves the pending bits behind it', () => {
  const row = msix({ vectors: 200, bar: 1 });
  expect([row.pbaOffset, row.tableOffset]).toEqual([3200, 0]);
  const { state } = made(row);
  expect([state.msix?.table.length, state.msix?.pending.length]).toEqual([800, 8]);
});

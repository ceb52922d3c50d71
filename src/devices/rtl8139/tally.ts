import type { Tally } from './state.ts';

const BYTES = 64;

/** Counters as a driver has them written to memory. Those that count nothing here are zero. C+ data sheet, DTCCR. */
export function tallyBytes(tally: Tally): Uint8Array {
  const view = new DataView(new ArrayBuffer(BYTES));
  view.setBigUint64(0, BigInt(tally.sent), true);
  view.setBigUint64(8, BigInt(tally.received), true);
  view.setUint32(24, tally.receiveErrors, true);
  view.setUint16(28, tally.missed, true);
  view.setBigUint64(40, BigInt(tally.physical), true);
  view.setBigUint64(48, BigInt(tally.broadcast), true);
  view.setUint32(56, tally.multicast, true);
  return new Uint8Array(view.buffer);
}

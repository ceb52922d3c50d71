import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IrqchipState } from '../../../src/kvm/irqchip/index.ts';
import {
  acknowledgeInterrupt,
  apicBaseWrite,
  createKvmPit,
  expireIrqchip,
  ioapicRead,
  ioapicWrite,
  irqchipPortRead,
  irqchipPortWrite,
  lapicMmioRead,
  lapicMmioWrite,
  lapicMsrRead,
  lapicMsrWrite,
  pendingInterrupt,
  resetLapic,
  sendMsi,
  setIrqLine,
  tscDeadlineWrite,
} from '../../../src/kvm/irqchip/index.ts';
import type { Rig } from './fixture.ts';
import { printed, rig } from './fixture.ts';

const VCPUS = 3;
const PORTS = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61];

/** One thing a guest, a device or time can do to the controllers. */
type Deed = (r: Rig, chip: IrqchipState) => unknown;

const vcpu = fc.nat(VCPUS - 1);
const value = fc.oneof(
  fc.nat(0xff),
  fc.nat(0xffffffff),
  fc.constantFrom(0x1ff, 0x700, 0x8700, 0x400, 0x20031, 0x40031),
);
const register = fc.nat(0x3f).map((i) => i * 16);

const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.tuple(vcpu, register, value).map(
    ([v, o, x]): Deed =>
      (r, c) =>
        lapicMmioWrite(c, v, o, 4, x, r.fx),
  ),
  fc.tuple(vcpu, fc.nat(0xfff), fc.constantFrom(1, 2, 4, 8)).map(
    ([v, o, n]): Deed =>
      (r, c) =>
        lapicMmioRead(c, v, o, n, r.fx),
  ),
  fc.tuple(vcpu, fc.nat(0xff), value).map(
    ([v, m, x]): Deed =>
      (r, c) =>
        lapicMsrWrite(c, v, 0x800 + m, BigInt(x), r.fx),
  ),
  fc.tuple(vcpu, fc.nat(0xff)).map(
    ([v, m]): Deed =>
      (r, c) =>
        lapicMsrRead(c, v, 0x800 + m, r.fx),
  ),
  fc.tuple(vcpu, fc.constantFrom(0n, 0x800n, 0xc00n)).map(
    ([v, m]): Deed =>
      (r, c) =>
        apicBaseWrite(c, v, 0xfee00000n | m, r.fx),
  ),
  fc.tuple(vcpu, fc.bigInt(0n, 3_000_000n)).map(
    ([v, d]): Deed =>
      (r, c) =>
        tscDeadlineWrite(c, v, r.fx.guestTsc(v) + d, r.fx),
  ),
  fc.tuple(fc.nat(0x4f), value).map(
    ([s, x]): Deed =>
      (r, c) => {
        ioapicWrite(c, 0, s, r.fx);
        ioapicWrite(c, 0x10, x, r.fx);
        return ioapicRead(c, 0x10);
      },
  ),
  fc.tuple(fc.constantFrom(...PORTS), fc.nat(0xff)).map(
    ([p, x]): Deed =>
      (r, c) =>
        irqchipPortWrite(c, p, 1, x, r.fx),
  ),
  fc.constantFrom(...PORTS).map(
    (p): Deed =>
      (r, c) =>
        irqchipPortRead(c, p, 1, r.fx),
  ),
  fc.tuple(fc.nat(25), fc.nat(3), fc.boolean()).map(
    ([g, s, l]): Deed =>
      (r, c) =>
        setIrqLine(c, g, s, l, r.fx, true),
  ),
  fc.tuple(value, value).map(
    ([a, d]): Deed =>
      (r, c) =>
        sendMsi(c, a, d, r.fx),
  ),
  vcpu.map(
    (v): Deed =>
      (r, c) =>
        acknowledgeInterrupt(c, v, r.fx),
  ),
  fc.tuple(vcpu, fc.boolean()).map(
    ([v, init]): Deed =>
      (_, c) =>
        resetLapic(c, v, init),
  ),
  fc.nat(5_000_000).map(
    (ns): Deed =>
      (r, c) => {
        r.clock += ns;
        expireIrqchip(c, r.fx);
      },
  ),
);

function machine(): Rig {
  const r = rig(VCPUS);
  createKvmPit(r.chip, true, r.fx);
  return r;
}

describe('whatever is done to the controllers', () => {
  test('a copy of the state goes on exactly as the original', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 40 }), fc.array(deed, { maxLength: 40 }), (before, after) => {
        const r = machine();
        for (const act of before) act(r, r.chip);
        const copy = structuredClone(r.chip);
        const clock = r.clock;
        printed(r);
        const first = [after.map((act) => act(r, r.chip)), printed(r)];
        r.clock = clock;
        expect([after.map((act) => act(r, copy)), printed(r)]).toEqual(first);
        expect(copy).toEqual(r.chip);
      }),
      { numRuns: 200 },
    );
  });

  test('the vector offered is the one taken, and every register stays in range', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 60 }), vcpu, (deeds, v) => {
        const r = machine();
        for (const act of deeds) act(r, r.chip);
        const offered = pendingInterrupt(r.chip, v);
        expect(offered).toBeLessThan(256);
        expect(acknowledgeInterrupt(r.chip, v, r.fx)).toBe(offered);
        for (let offset = 0; offset < 0x400; offset += 16) {
          const read = lapicMmioRead(r.chip, v, offset, 4, r.fx);
          expect(read === -1 || (Number.isInteger(read) && read >= 0 && read <= 0xffffffff)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

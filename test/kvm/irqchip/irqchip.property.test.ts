import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../../src/events/stamped.ts';
import { guestTsc } from '../../../src/kvm/clock/tsc.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import {
  type GsiRoutingEntry,
  getIoapic,
  getLapic,
  getPic,
  getPit2,
  ioapicRead,
  ioapicWrite,
  irqchipPortRead,
  irqchipPortWrite,
  kickCpu,
  lapicMmioRead,
  lapicMmioWrite,
  pulseLint1,
  sendMsi,
  sendPvIpi,
  setIoapic,
  setIrqLine,
  setLapic,
  setPic,
  tscDeadlineWrite,
  writeTaskPriority,
} from '../../../src/kvm/irqchip/index.ts';
import { acceptApicEvents } from '../../../src/kvm/vcpu/start.ts';
import { evolve, reduce } from '../../../src/reducers/evolve.ts';
import type { Row } from '../../../src/reducers/row.ts';
import { differenceOf, seal, thaw } from '../../../src/reducers/seal.ts';
import { slicesOf } from '../../../src/reducers/slices.ts';
import type { MachineState } from '../../../src/reducers/state.ts';
import { REDUCERS } from '../../../src/reducers/table/index.ts';
import { pass, pending, rdmsr, type Rig, rig, sendIpi, setBase, take, writeApic, wrmsr } from './fixture.ts';
import { IS_WHOLE } from '../../how-long.ts';

/** Sequences of accesses tried of each property. */
const RUNS = IS_WHOLE ? 60 : 20;

const VCPUS = 3;
const PORTS = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61];

/** One thing a guest, a device, user space or time can do to the controllers. */
type Deed = (r: Rig) => unknown;

const vcpu = fc.nat(VCPUS - 1);
const value = fc.oneof(
  fc.nat(0xff),
  fc.nat(0xffffffff),
  fc.constantFrom(0x1ff, 0x700, 0x8700, 0x400, 0x20031, 0x40031, 0x4500, 0x4610),
);
const register = fc.nat(0x3f).map((i) => i * 16);

/** A deed from what it is done with; a counterexample shows both. */
const doing = <T extends unknown[]>(arbitrary: fc.Arbitrary<T>, act: (r: Rig, ...given: T) => unknown) =>
  arbitrary.map((given): Deed => {
    const shown = { [fc.toStringMethod]: () => `${act} ${fc.stringify(given)}` };
    return Object.assign((r: Rig) => act(r, ...given), shown);
  });

const guestDeed: fc.Arbitrary<Deed> = fc.oneof(
  doing(fc.tuple(vcpu, register, value), (r, v, at, x) => lapicMmioWrite(r.on(v), v, at, 4, x)),
  doing(fc.tuple(vcpu, fc.nat(0xfff), fc.constantFrom(1, 2, 4, 8)), (r, v, at, size) =>
    lapicMmioRead(r.on(v), v, at, size),
  ),
  doing(fc.tuple(vcpu, fc.nat(0xff), value), (r, v, msr, x) => wrmsr(r, v, 0x800 + msr, BigInt(x))),
  doing(fc.tuple(vcpu, fc.nat(0xff)), (r, v, msr) => rdmsr(r, v, 0x800 + msr)),
  doing(fc.tuple(vcpu, fc.constantFrom(0n, 0x800n, 0xc00n)), (r, v, mode) => setBase(r, 0xfee00000n | mode, v)),
  doing(fc.tuple(vcpu, fc.bigInt(0n, 3_000_000n)), (r, v, ahead) =>
    tscDeadlineWrite(r.on(v), v, guestTsc(r.context, r.state.vcpus[v]!) + ahead),
  ),
  doing(fc.tuple(vcpu, fc.nat(15)), (r, v, cr8) => writeTaskPriority(r.on(v), v, cr8)),
  doing(fc.tuple(fc.nat(0x4f), value), (r, at, x) => {
    ioapicWrite(r.on(0), 0, at);
    ioapicWrite(r.on(0), 0x10, x);
    return ioapicRead(r.chip.ioapic, 0x10);
  }),
  doing(fc.tuple(fc.constantFrom(...PORTS), fc.nat(0xff)), (r, port, x) => irqchipPortWrite(r.on(0), port, 1, x)),
  doing(fc.tuple(fc.constantFrom(...PORTS)), (r, port) => irqchipPortRead(r.on(0), port, 1)),
  doing(fc.tuple(fc.bigInt(0n, 7n), fc.nat(2), value), (r, low, min, icr) =>
    sendPvIpi(r.on(0), { low, high: 0n }, min, icr, true),
  ),
  doing(fc.tuple(vcpu), (r, v) => kickCpu(r.on(0), v)),
  doing(fc.tuple(vcpu), (r, v) => acceptApicEvents(r.on(v), r.state.vcpus[v]!)),
);

const vector = fc.integer({ min: 0x20, max: 0xff });
const LVT_TIMER = 0x320;
const INITIAL_COUNT = 0x380;

/** What a kernel does that uses them as they are meant. */
const kernelDeed: fc.Arbitrary<Deed> = fc.oneof(
  doing(fc.tuple(vcpu), (r, v) => take(r, v)),
  doing(fc.tuple(vcpu), (r, v) => writeApic(r, v, 0xb0, 0)),
  doing(fc.tuple(fc.constantFrom(0x20, 0xa0)), (r, port) => irqchipPortWrite(r.on(0), port, 1, 0x20)),
  doing(fc.tuple(fc.nat(23), vector, fc.constantFrom(0, 0x8000, 0x10000)), (r, pin, v, bits) => {
    ioapicWrite(r.on(0), 0, 0x10 + 2 * pin);
    ioapicWrite(r.on(0), 0x10, v | bits);
  }),
  doing(fc.tuple(vcpu, vcpu, vector), (r, from, to, v) => sendIpi(r, from, 0x4000 | v, to)),
  doing(fc.tuple(vcpu, vector, fc.constantFrom(0, 0x10000, 0x20000, 0x40000)), (r, v, at, mode) => {
    writeApic(r, v, LVT_TIMER, at | mode);
    writeApic(r, v, INITIAL_COUNT, 10_000 * at);
  }),
  doing(fc.tuple(fc.constantFrom(0x30, 0x34), fc.nat(0xff)), (r, control, high) => {
    for (const [port, x] of [
      [0x43, control],
      [0x40, 0],
      [0x40, high],
    ])
      irqchipPortWrite(r.on(0), port!, 1, x!);
  }),
);

/** These GSIs lead to both kinds of controllers, others nowhere. */
const routes = (gsis: readonly number[]): GsiRoutingEntry[] =>
  gsis.flatMap((gsi) => [
    { gsi, type: 'irqchip', irqchip: 2, pin: 23 - gsi } as const,
    ...(gsi < 16 ? [{ gsi, type: 'irqchip', irqchip: gsi >> 3, pin: gsi & 7 } as const] : []),
  ]);

const outsideDeed: fc.Arbitrary<Deed> = fc.oneof(
  doing(fc.tuple(fc.nat(25), fc.nat(3), fc.boolean()), (r, gsi, source, level) =>
    setIrqLine(r.context, gsi, source, level, true),
  ),
  doing(fc.tuple(value, value), (r, address, data) => sendMsi(r.context, address, data)),
  doing(fc.tuple(vcpu), (r, v) => pulseLint1(r.context, v)),
  doing(fc.tuple(vcpu, vcpu), (r, v, from) => setLapic(r.context, v, getLapic(r.chip.lapics[from]!, r.machine.now()))),
  doing(fc.tuple(fc.nat(1), fc.nat(0xff)), (r, at, irr) => setPic(r.context, at, { ...getPic(r.chip, at), irr })),
  doing(fc.tuple(fc.nat(0xffffff)), (r, irr) => setIoapic(r.context, { ...getIoapic(r.chip), irr })),
  doing(fc.tuple(fc.nat(1)), (r, flags) => r.kvm.ioctl(r.vm, io.KVM_SET_PIT2, { ...getPit2(r.chip.pit!), flags })),
  doing(fc.tuple(fc.boolean()), (r, pitReinject) => r.kvm.ioctl(r.vm, io.KVM_REINJECT_CONTROL, { pitReinject })),
  doing(fc.tuple(fc.nat(25), fc.nat(3)), (r, gsi, flags) => {
    const [fd, resamplefd] = [r.kvm.eventfd(), r.kvm.eventfd()];
    r.kvm.ioctl(r.vm, io.KVM_IRQFD, { fd, gsi, flags: flags & 2, resamplefd });
    r.kvm.signal(fd);
    if ((flags & 1) !== 0) r.kvm.ioctl(r.vm, io.KVM_IRQFD, { fd, gsi, flags: 1 });
    return r.kvm.consume(resamplefd);
  }),
  doing(fc.tuple(fc.shuffledSubarray([...Array(24).keys()], { minLength: 12 })), (r, gsis) =>
    r.kvm.ioctl(r.vm, io.KVM_SET_GSI_ROUTING, { entries: routes(gsis) }),
  ),
  doing(fc.tuple(fc.nat(5_000_000)), (r, ns) => pass(r, ns)),
);

const KINDS = [
  { weight: 4, arbitrary: kernelDeed },
  { weight: 2, arbitrary: guestDeed },
  { weight: 1, arbitrary: outsideDeed },
];

const deeds = (maxLength: number): fc.Arbitrary<Deed[]> => fc.array(fc.oneof(...KINDS), { maxLength, size: 'max' });

/** A VM with a PIT to which all this has been done. */
function rigAfter(done: readonly Deed[]): Rig {
  const r = rig(VCPUS);
  r.kvm.ioctl(r.vm, io.KVM_CREATE_PIT2, { flags: 1 });
  for (const act of done) act(r);
  r.stamped.length = 0;
  return r;
}

const AT_RESET = { rip: 0xfff0n, rflags: 2n, cr0: 0x60000010n, cr4: 0n, efer: 0n, cr8: 0, interruptibility: 0 };

/** What lies beside the state. */
function putProcessorsBack(r: Rig): void {
  for (let v = 0; v < VCPUS; v++) {
    const registers = r.machine.engine.registers(v);
    Object.assign(registers, AT_RESET);
    registers.setSegment(1, { selector: 0xf000, base: 0xffff0000n, limit: 0xffff, access: 0x9b });
  }
}

describe('whatever is done to the controllers', () => {
  test('a state put back goes on exactly as it did', () => {
    fc.assert(
      fc.property(deeds(60), deeds(120), (before, rest) => {
        const r = rigAfter(before);
        const [kept, tick] = [seal(undefined, r.machine.state), r.machine.ticks];
        const goOn = (): readonly unknown[] => {
          r.stamped.length = 0;
          r.putBack(kept, tick);
          putProcessorsBack(r);
          return [rest.map((act) => act(r)), [...r.stamped], thaw(r.machine.state)];
        };
        const first = goOn();
        expect(goOn()).toEqual(first);
      }),
      { numRuns: RUNS },
    );
  });

  test('the facts, folded from the state before, come to the state after', () => {
    fc.assert(
      fc.property(deeds(60), deeds(120), (before, rest) => {
        const r = rigAfter(before);
        const start = seal(undefined, r.machine.state);
        for (const act of rest) act(r);
        const reduced = r.stamped.reduce((state, each) => reduce(state, each), start);
        expect(differenceOf(reduced, r.machine.state)).toBeUndefined();
        const evolved = thaw(start);
        for (const each of r.stamped) evolve(evolved, each);
        expect(differenceOf(evolved, r.machine.state)).toBeUndefined();
      }),
      { numRuns: RUNS },
    );
  });

  test('each fact changes only what its row names as owners', () => {
    fc.assert(
      fc.property(deeds(200), (rest) => {
        const r = rigAfter([]);
        let state = seal(undefined, r.machine.state);
        for (const act of rest) act(r);
        for (const each of r.stamped) {
          const next = reduce(state, each);
          expect([each.event, changedBeside(state, next, each)]).toEqual([each.event, []]);
          state = next;
        }
      }),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  test('the vector offered is the one taken, and every register stays in range', () => {
    fc.assert(
      fc.property(deeds(200), vcpu, (done, v) => {
        const r = rigAfter(done);
        const offered = pending(r, v);
        expect(offered).toBeLessThan(256);
        expect(take(r, v)).toBe(offered);
        for (let offset = 0; offset < 0x400; offset += 16) {
          const read = lapicMmioRead(r.on(v), v, offset, 4);
          expect(read === -1 || (Number.isInteger(read) && read >= 0 && read <= 0xffffffff)).toBe(true);
        }
      }),
      { numRuns: RUNS },
    );
  });
});

/** Slices that an event changed though its row does not own them. */
function changedBeside(state: MachineState, next: MachineState, { event }: Stamped): string[] {
  const { ownerBits } = REDUCERS[event.kind] as Row<typeof event.kind>;
  return slicesOf(state.config)
    .filter((slice) => (slice.ownerBits & ownerBits) === 0)
    .filter(({ read }) => differenceOf(read(state), read(next)) !== undefined)
    .map(({ name }) => name);
}

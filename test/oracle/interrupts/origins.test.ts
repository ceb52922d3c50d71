import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { NONE } from '../../../src/events/origin.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { inOrder } from '../../../src/replay/trace/in-order.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { setIrqLine } from '../../../src/kvm/irqchip/index.ts';
import { ioapicWrite } from '../../../src/kvm/irqchip/ioapic.ts';
import { checkAndInject } from '../../../src/kvm/vcpu/injection.ts';
import { firstOf } from '../../how-long.ts';
import { fresh, type Rig, writeApic } from '../../kvm/irqchip/fixture.ts';
import { interruptOrigins, printOrigins } from './origins.ts';

const TRACES = join(import.meta.dirname, '../../../traces');

/** A recorded run of our own guest, on one processor and on four. */
const recorded: Record<string, readonly Stamped[]> = {};

beforeAll(() => {
  for (const name of ['tour', 'tour-smp4']) {
    const trace = openTraceFile(join(TRACES, `${name}.trace`));
    recorded[name] = [...inOrder(trace)];
    trace.close();
  }
});

/** The events with one changed. */
const withChanged = (events: readonly Stamped[], { seq }: Stamped, change: Partial<Stamped>): Stamped[] =>
  events.with(seq, { ...(events[seq] as Stamped), ...change });

const isOf =
  (kind: MachineEvent['kind']) =>
  ({ event }: Stamped): boolean =>
    event.kind === kind;

/** Events of these kinds on the chains of causes of all interrupts. */
function onChains(events: readonly Stamped[], kind: MachineEvent['kind']): Stamped[] {
  const found = new Set<Stamped>();
  for (const injection of events.filter(isOf('kvm_inj_virq'))) {
    for (let at: Stamped | undefined = injection; at !== undefined; at = events[at.cause ?? -1]) {
      if (at.event.kind === kind) found.add(at);
    }
  }
  return [...found];
}

describe('where interrupts come from', () => {
  test('is said of each one in a run of our own guest', () => {
    const origins = interruptOrigins(recorded['tour'] ?? []);
    console.log(printOrigins(origins));
    expect(origins.unexplained).toEqual([]);
    expect(Object.fromEntries(origins.counts)).toEqual({
      'timer LAPIC': 12,
      'timer PIT': 5,
      'line serial0.irq': 1,
      'MSI, main-loop': 4,
      'self-IPI': 1,
    });
  });

  test('is said of each one on four processors', () => {
    const { counts, unexplained } = interruptOrigins(recorded['tour-smp4'] ?? []);
    expect(unexplained).toEqual([]);
    expect([...counts.keys()].sort()).toEqual(['IPI', 'line serial0.irq', 'timer LAPIC', 'timer PIT']);
  });
});

describe.each(firstOf(1, ['tour', 'tour-smp4']))('a wrong link of cause is found (%s)', (name) => {
  const events = (): readonly Stamped[] => recorded[name] ?? [];
  const faults = (changed: readonly Stamped[]): number => interruptOrigins(changed).unexplained.length;

  test('in an injection: none, one that is yet to come, that of another', () => {
    const injections = events().filter(isOf('kvm_inj_virq'));
    const [first, second] = [injections[0] as Stamped, injections.at(-1) as Stamped];
    for (const cause of [undefined, second.seq + 1, second.within, first.cause]) {
      expect(faults(withChanged(events(), second, { cause }))).toBeGreaterThan(0);
    }
  });

  test.each(['kvm_apic_accept_irq', 'kvm_set_irq', 'kvm_apic_ipi'] as const)(
    'in %s, wherever it is on a chain',
    (kind) => {
      const links = onChains(events(), kind);
      expect(links.length).toBeGreaterThan(0);
      const exit = events().find(isOf('kvm_exit')) as Stamped;
      for (const link of firstOf(2, links))
        expect(faults(withChanged(events(), link, { cause: exit.seq }))).toBeGreaterThan(0);
    },
  );

  test('in a timer that fires: another arm than the last, or none', () => {
    const fires = onChains(events(), 'sim:timer_fire');
    expect(fires.length).toBeGreaterThan(10);
    const [earliest] = onChains(events(), 'sim:timer_arm').sort((a, b) => a.seq - b.seq);
    for (const fire of firstOf(3, fires)) {
      expect(faults(withChanged(events(), fire, { cause: undefined }))).toBeGreaterThan(0);
      if (fire.cause === earliest?.seq) continue;
      expect(faults(withChanged(events(), fire, { cause: earliest?.seq }))).toBeGreaterThan(0);
    }
  });

  test('in a timer that fires for another time than it was armed for', () => {
    const fire = events().findLast(isOf('sim:timer_fire')) as Stamped;
    const event = { ...fire.event, deadline: 1 } as MachineEvent;
    expect(faults(withChanged(events(), fire, { event }))).toBeGreaterThan(0);
  });

  test('in a timer that is cancelled, and was not armed', () => {
    const event = { kind: 'sim:timer_cancel', id: 'rtc.alarm', deadline: 1 } as const;
    const told = events().findLast(isOf('kvm_pio')) as Stamped;
    expect(faults(withChanged(events(), told, { event }))).toBeGreaterThan(0);
  });

  test('in the arm of a timer: it is nobody’s', () => {
    for (const arm of firstOf(2, onChains(events(), 'sim:timer_arm'))) {
      expect(faults(withChanged(events(), arm, { cause: undefined }))).toBeGreaterThan(0);
    }
  });

  test('where the sender is not on record', () => {
    for (const kind of ['kvm_set_irq', 'kvm_apic_ipi'] as const) {
      for (const link of firstOf(1, onChains(events(), kind))) {
        expect(faults(withChanged(events(), link, { event: { kind: 'sim:powered_off' } }))).toBeGreaterThan(0);
      }
    }
  });

  test('where another vector is injected than was asked for', () => {
    const injection = events().findLast(isOf('kvm_inj_virq')) as Stamped;
    const event = { kind: 'kvm_inj_virq', vector: 33, soft: false, reinjected: false } as const;
    expect(faults(withChanged(events(), injection, { event }))).toBeGreaterThan(0);
  });
});

/** Beyond the ISA lines: no PIC hears of it. */
const GSI = 20;
const VECTOR = 0x9a;
const LEVEL = 0x8000;
const EOI = 0xb0;
const INTERRUPTS_ENABLED = 0x202n;

/** A machine whose processor takes interrupts. */
function open(): Rig {
  const r = fresh();
  const regs = {} as io.Regs;
  r.kvm.ioctl(r.vcpus[0]!, io.KVM_GET_REGS, regs);
  r.kvm.ioctl(r.vcpus[0]!, io.KVM_SET_REGS, { ...regs, rflags: INTERRUPTS_ENABLED });
  writeApic(r, 0, 0xf0, 0x1ff);
  return r;
}

/** An input that asserts a level-triggered line, which stands high while its interrupt is served twice. */
function standingLine(): readonly Stamped[] {
  const r = open();
  ioapicWrite(r.on(0), 0, 0x10 + GSI * 2);
  ioapicWrite(r.on(0), 0x10, LEVEL | VECTOR);
  const pressed = r.origin.during(NONE).raise({ kind: 'sim:power_button_pressed' });
  setIrqLine(r.context.after(pressed), GSI, 0, true);
  inject(r);
  r.on(0).raise({ kind: 'sim:delivery_ended', vcpu_id: 0 });
  writeApic(r, 0, EOI, 0);
  inject(r);
  return r.stamped;
}

function inject(r: Rig): void {
  const injection = { info: 0, errorCode: 0, length: 0 };
  checkAndInject(r.on(0), r.state.vcpus[0]!, injection);
  expect(injection.info & 0xff).toBe(VECTOR);
}

describe('a line that still stands at its EOI', () => {
  test('is what its interrupt comes from again, not the EOI', () => {
    const events = standingLine();
    const origins = interruptOrigins(events);
    expect(origins.unexplained).toEqual([]);
    expect([...origins.counts.keys()]).toEqual([
      'input sim:power_button_pressed',
      'input sim:power_button_pressed, again at EOI',
    ]);
  });

  test('and one that names the EOI is found', () => {
    const events = standingLine();
    const again = events.findLast(isOf('kvm_apic_accept_irq')) as Stamped;
    const eoi = events.findLast(isOf('kvm_eoi')) as Stamped;
    expect(interruptOrigins(withChanged(events, again, { cause: eoi.seq })).unexplained).not.toEqual([]);
  });
});

test('a vector that a person requests comes from the intervention', () => {
  const r = open();
  const asked = r.origin.during(NONE).raise({ kind: 'sim:intervened', what: 'interrupt', value: '{}' });
  r.origin.after(asked).raise({ kind: 'sim:vector_set', vcpu_id: 0, vector: VECTOR, pending: true });
  inject(r);
  const origins = interruptOrigins(r.stamped);
  expect(origins.unexplained).toEqual([]);
  expect([...origins.counts]).toEqual([['input sim:intervened', 1]]);
});

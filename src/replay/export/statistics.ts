import type { Ns, Tick } from '../../base/units.ts';
import { namesOf, msrText } from '../../events/named-numbers.ts';
import { type Stamped, vcpuOf } from '../../events/stamped.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import type { Pace } from '../../events/costs.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { eventClock } from './report.ts';

/** What is counted. */
interface Subject {
  /** How its first column is called. */
  readonly head: string;
  /** The kind of event that is a sample. */
  readonly kind: MachineEvent['kind'];
  /** What samples are told apart by; undefined: this event is none. */
  keyOf(event: MachineEvent): string | undefined;
}

const hexadecimal = (value: number | bigint): string => `0x${value.toString(16)}`;
const UNSATISFIED = 0;
const WRITTEN = 2;

/** By their names in `perf kvm stat --event`; the last three are ours. */
export const SUBJECTS = {
  vmexit: {
    head: 'VM-EXIT',
    kind: 'kvm_exit',
    keyOf(event) {
      if (event.kind !== 'kvm_exit') return undefined;
      const reason = event.exit_reason & EXIT_REASON.BASIC;
      return namesOf('kvm_exit', 'exit_reason')?.nameOf(reason) ?? hexadecimal(reason);
    },
  },
  ioport: {
    head: 'IO Port Access',
    kind: 'kvm_pio',
    keyOf: (event) =>
      event.kind === 'kvm_pio' ? `${hexadecimal(event.port)}:${event.rw === 1 ? 'POUT' : 'PIN'}` : undefined,
  },
  mmio: {
    head: 'MMIO Access',
    kind: 'kvm_mmio',
    // A read that waits for user space is told again with its value.
    keyOf: (event) =>
      event.kind === 'kvm_mmio' && event.type !== UNSATISFIED
        ? `${hexadecimal(event.gpa)}:${event.type === WRITTEN ? 'W' : 'R'}`
        : undefined,
  },
  msr: {
    head: 'MSR Access',
    kind: 'kvm_msr',
    keyOf: (event) => (event.kind === 'kvm_msr' ? `${msrText(event.ecx)}:${event.write === 0 ? 'R' : 'W'}` : undefined),
  },
  cpuid: {
    head: 'CPUID Function',
    kind: 'kvm_cpuid',
    keyOf: (event) => (event.kind === 'kvm_cpuid' ? hexadecimal(event.function) : undefined),
  },
  hypercall: {
    head: 'Hypercall',
    kind: 'kvm_hypercall',
    keyOf: (event) => (event.kind === 'kvm_hypercall' ? hexadecimal(event.nr) : undefined),
  },
} as const satisfies Readonly<Record<string, Subject>>;

export type SubjectName = keyof typeof SUBJECTS;

/** How often something was measured, and what came out. */
export class Spread {
  count = 0;
  total = 0;
  least = Number.POSITIVE_INFINITY;
  most = 0;

  add(value: number): void {
    this.count += 1;
    this.total += value;
    this.least = Math.min(this.least, value);
    this.most = Math.max(this.most, value);
  }

  get average(): number {
    return this.count === 0 ? 0 : this.total / this.count;
  }
}

/** Samples of one kind. */
export interface StatisticsRow {
  readonly key: string;
  readonly samples: number;
  /** Instructions of the guest that ended in the exit. */
  readonly guest: Spread;
  /** Virtual nanoseconds from the exit to the next entry of its processor. An exit the run ends in has none. */
  readonly handling: Spread;
}

/** What is counted of a run. */
export interface Counting {
  readonly subject: SubjectName;
  readonly pace: Pace;
  readonly vcpu?: number | undefined;
  /** Of the samples, those that are meant; absent: all. */
  readonly isMeant?: ((stamped: Stamped) => boolean) | undefined;
}

/** An exit that is being handled. */
interface Open {
  readonly ticks: Tick;
  readonly from: Ns;
  readonly rows: StatisticsRow[];
}

/**
 * A reader of a run that counts what `perf kvm stat report` counts, with both times of each: what the guest ran before,
 * and what handling took. To be told every event, in order.
 */
export class EventCounts {
  private readonly found = new Map<string, { key: string; samples: number; guest: Spread; handling: Spread }>();
  private readonly open: (Open | undefined)[] = [];
  private readonly counting: Counting;
  private readonly clock;
  private readonly subject: Subject;

  constructor(counting: Counting) {
    this.counting = counting;
    this.clock = eventClock(counting.pace);
    this.subject = SUBJECTS[counting.subject];
  }

  next(stamped: Stamped): void {
    const ns = this.clock.ns(stamped);
    const { event } = stamped;
    if (event.kind === 'kvm_entry') this.close(event.vcpu_id, ns);
    else if (event.kind === 'kvm_exit') {
      // The clock has counted the exit's own cost already.
      const from = ns - this.counting.pace.costs.exit;
      this.open[event.vcpu_id] = { ticks: event.ticks, from, rows: [] };
    }
    if (event.kind === this.subject.kind) this.sample(stamped);
  }

  private sample(stamped: Stamped): void {
    const { event, source } = stamped;
    const { vcpu, isMeant } = this.counting;
    const by = event.kind === 'kvm_exit' ? event.vcpu_id : vcpuOf(source);
    const key = vcpu === undefined || vcpu === by ? this.subject.keyOf(event) : undefined;
    if (key === undefined || isMeant?.(stamped) === false) return;
    let row = this.found.get(key);
    if (row === undefined) {
      row = { key, samples: 0, guest: new Spread(), handling: new Spread() };
      this.found.set(key, row);
    }
    row.samples += 1;
    const open = this.open[by];
    if (open === undefined) return;
    row.guest.add(open.ticks);
    open.rows.push(row);
  }

  private close(vcpu: number, ns: Ns): void {
    const open = this.open[vcpu];
    if (open === undefined) return;
    for (const { handling } of open.rows) handling.add(ns - open.from);
    this.open[vcpu] = undefined;
  }

  /** Most frequent first. */
  get rows(): StatisticsRow[] {
    return [...this.found.values()].sort(ORDERS.sample);
  }
}

type Order = (left: StatisticsRow, right: StatisticsRow) => number;

const byKey: Order = (left, right) => (left.key < right.key ? -1 : 1);

/** What rows can be sorted by: how many there are, how long they took, how long the guest ran before, their names. */
export const ORDERS = {
  sample: (left, right) => right.samples - left.samples || byKey(left, right),
  time: (left, right) => right.handling.total - left.handling.total || byKey(left, right),
  guest: (left, right) => right.guest.total - left.guest.total || byKey(left, right),
  name: byKey,
} as const satisfies Readonly<Record<string, Order>>;

export type OrderName = keyof typeof ORDERS;

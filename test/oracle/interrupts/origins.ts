import { MAIN_LOOP, type Stamped, sourceName, vcpuOf } from '../../../src/events/stamped.ts';
import { type EventKind, type EventOf, type MachineEvent, VOCABULARY } from '../../../src/events/vocabulary.ts';
import { ApicRequests } from './apic-requests.ts';
import { Causes } from './causes.ts';
import { Handovers } from './handovers.ts';
import { Lines, type Mover } from './lines.ts';
import { PicRequests } from './pic-requests.ts';

/** Where the interrupts of a run came from. */
export interface Origins {
  readonly injected: number;
  /** By origin, most frequent first. */
  readonly counts: ReadonlyMap<string, number>;
  /** What the links of cause say otherwise than the order of events, or do not say. */
  readonly unexplained: readonly string[];
}

/** A timer that is armed: by which event, for when, and what its thread acted on. */
interface Armed {
  readonly seq: number;
  readonly deadline: number;
  readonly root: number;
}

/** An injection a vCPU had: what is injected again is this one. */
interface Injected {
  readonly seq: number;
  readonly vector: number;
  readonly mover: Mover;
}

/** The source with which KVM drives the PIT's line. */
const PIT_SOURCE = 2;
const LAPIC_TIMER = /^kvm-lapic(\d+)$/;
const isPitTimer = (id: string): boolean => id.startsWith('kvm-pit');

/** How a person names a timer. */
const TIMERS: readonly (readonly [RegExp, string])[] = [
  [LAPIC_TIMER, 'timer LAPIC'],
  [/^kvm-pit-work$/, 'timer PIT, missed ticks'],
  [/^kvm-pit$/, 'timer PIT'],
];
const timerName = (id: string): string => TIMERS.find(([pattern]) => pattern.test(id))?.[1] ?? `timer ${id}`;

const isInput = (kind: EventKind): boolean => VOCABULARY[kind].receiver !== undefined;

/**
 * Works out from the order of events alone which line, message or deadline each interrupt comes from, and compares it
 * with what the links of cause say. Which event asks for what is KVM's code and the data sheets of its controllers.
 */
export class OriginCheck {
  private readonly causes = new Causes();
  private readonly handovers = new Handovers();
  private readonly lines = new Lines();
  private readonly pic = new PicRequests();
  private readonly apics = new ApicRequests(this.lines, (what) => this.complain(what));
  /** By source: the exit, input or fire that its thread acts on. */
  private readonly triggers = new Map<number, number>();
  private readonly timers = new Map<string, Armed>();
  /** What a fire's chain of arms and fires begins with. */
  private readonly beginnings = new Map<number, number>();
  private readonly names = new Map<number, string>();
  /** The first of the PIT's fires in a row: they share one pulse. */
  private pulse: number | undefined;
  private lastLine: EventOf<'sim:irq_line'> | undefined;
  private lastMoved: Mover = { seq: -1, root: -1, name: '' };
  private readonly taken: (Injected | undefined)[] = [];
  private readonly injections: (Injected | undefined)[] = [];
  private readonly counts = new Map<string, number>();
  private readonly unexplained: string[] = [];
  private injected = 0;
  private at = 0;

  next(stamped: Stamped): void {
    this.at = stamped.seq;
    const { event } = stamped;
    const fault = this.causes.next(stamped);
    if (fault !== undefined) this.complain(fault);
    this.apics.next(stamped, this.moverOf(stamped));
    this.follow(stamped);
    if (event.kind !== 'sim:digest' && event.kind !== 'sim:timer_arm' && event.kind !== 'sim:timer_fire') {
      this.pulse = undefined;
    }
  }

  get result(): Origins {
    const counts = new Map([...this.counts].sort(([, a], [, b]) => b - a));
    return { injected: this.injected, counts, unexplained: this.unexplained };
  }

  private complain(what: string): void {
    this.unexplained.push(`#${this.at}: ${what}`);
  }

  private moverOf({ seq, source }: Stamped): Mover {
    const root = this.triggers.get(source) ?? -1;
    return { seq, root, name: this.names.get(root) ?? sourceName(source) };
  }

  private follow(stamped: Stamped): void {
    const { event, seq, source } = stamped;
    if (isInput(event.kind)) this.act(MAIN_LOOP, seq, `input ${event.kind}`);
    const takenOver = this.handovers.next(event, this.triggers.get(source) ?? -1);
    // A vCPU acts on its exit, whatever it finds done there.
    if (takenOver !== undefined && vcpuOf(source) < 0) this.act(source, takenOver, undefined);
    switch (event.kind) {
      case 'kvm_exit':
        this.act(source, seq, undefined);
        return;
      case 'sim:timer_arm':
        this.timers.set(event.id, { seq, deadline: event.deadline, root: this.triggers.get(source) ?? -1 });
        return;
      case 'sim:timer_cancel':
        this.disarm(event, 'is cancelled');
        return;
      case 'sim:timer_fire':
        this.fire(event, stamped);
        return;
      case 'sim:intack':
        this.acknowledge(event);
        return;
      case 'kvm_inj_virq':
        this.inject(event, seq, vcpuOf(source));
        return;
      default:
        this.followLine(event, this.moverOf(stamped));
    }
  }

  private followLine(event: MachineEvent, mover: Mover): void {
    switch (event.kind) {
      case 'sim:irq_line':
        this.lastLine = event;
        return;
      case 'kvm_set_irq':
        this.lastMoved = this.lineMover(event, mover);
        this.lines.drive(event, this.lastMoved);
        this.apics.lineDriven(this.lastMoved);
        return;
      case 'kvm_pic_set_irq':
        this.pic.look(event, this.lines.isHigh(event.chip, event.pin), this.lastMoved);
        return;
      case 'sim:pic_write':
        this.pic.write(event);
        return;
      case 'sim:pic_poll':
        this.pic.poll(event);
        return;
      case 'ioctl:KVM_SET_GSI_ROUTING':
        this.lines.rewire(event);
        return;
      case 'ioctl:KVM_SET_IRQCHIP':
        this.pic.restore(event, { ...mover, name: 'KVM_SET_IRQCHIP' });
        return;
      case 'ioctl:KVM_SET_LAPIC':
        this.apics.restore(event.vcpu_id, event.regs, { ...mover, name: 'KVM_SET_LAPIC' });
        return;
      case 'sim:init':
        this.apics.restore(event.vcpu_id, undefined, mover);
        return;
      case 'sim:vector_set':
        this.apics.set(event, mover);
        return;
      default:
    }
  }

  /** A thread acts on this from now on. */
  private act(source: number, seq: number, name: string | undefined): void {
    this.triggers.set(source, seq);
    if (name !== undefined) this.names.set(seq, name);
  }

  /** A timer fires, or is cancelled, as it was armed last. */
  private disarm(
    { id, deadline }: { readonly id: string; readonly deadline: number },
    what: string,
  ): Armed | undefined {
    const armed = this.timers.get(id);
    this.timers.delete(id);
    if (armed?.deadline !== deadline) {
      this.complain(`${id} ${what} for ${deadline}, but was armed by #${armed?.seq} for ${armed?.deadline}`);
    }
    return armed;
  }

  private fire(event: EventOf<'sim:timer_fire'>, { seq, source, cause }: Stamped): void {
    const { id } = event;
    const armed = this.disarm(event, 'fires');
    if (armed?.seq !== cause) this.complain(`${id} fires because of #${cause}, but was armed by #${armed?.seq}`);
    const root = armed?.root ?? -1;
    this.beginnings.set(seq, this.beginnings.get(root) ?? root);
    this.act(source, seq, timerName(id));
    if (isPitTimer(id)) this.pulse ??= seq;
    const vcpu = LAPIC_TIMER.exec(id)?.[1];
    if (vcpu !== undefined) this.apics.expire(Number(vcpu), { seq, root: seq, name: timerName(id) });
  }

  /** Ticks of the PIT that came together are one pulse, which the first of them asked for. */
  private lineMover({ irq_source_id: driver }: EventOf<'kvm_set_irq'>, mover: Mover): Mover {
    if (driver === PIT_SOURCE && this.pulse !== undefined) {
      return { ...mover, root: this.pulse, name: this.names.get(this.pulse)! };
    }
    if (this.names.has(mover.root)) return mover;
    const line = this.lastLine === undefined ? 'line' : `line ${this.lastLine.dev}.${this.lastLine.pin}`;
    return { ...mover, name: line };
  }

  /** INTA: a vector goes to a vCPU. 0 is the pair of PICs. */
  private acknowledge({ vcpu_id: vcpu, irqchip, vector }: EventOf<'sim:intack'>): void {
    const mover = irqchip === 0 ? this.pic.acknowledge(vector) : this.apics.take(vcpu, vector);
    this.taken[vcpu] = mover === undefined ? undefined : { seq: this.at, vector, mover };
  }

  private inject({ vector, soft, reinjected }: EventOf<'kvm_inj_virq'>, seq: number, vcpu: number): void {
    this.injected += 1;
    const from = reinjected ? this.injections[vcpu] : this.taken[vcpu];
    this.taken[vcpu] = undefined;
    if (soft) {
      this.count('INT n, injected again');
      return;
    }
    if (from === undefined || from.vector !== vector) {
      this.complain(`vector ${vector} on vcpu${vcpu}: nobody is known to have asked for it`);
      return;
    }
    const { mover } = from;
    this.compare(seq, reinjected ? [from.seq, mover.seq] : [mover.seq], mover);
    this.count(reinjected ? 'injected again, delivery interrupted' : mover.name);
    this.injections[vcpu] = { seq, vector, mover };
  }

  /** The chain of causes goes through these events to that root, and on to what armed it. */
  private compare(seq: number, through: readonly number[], { root, name }: Mover): void {
    const { root: found, end, path } = this.causes.of(seq, Math.min(...through));
    const missing = through.filter((each) => !path.includes(each));
    if (missing.length > 0) this.complain(`${name}: #${seq} does not go back to ${missing.map((each) => `#${each}`)}`);
    if (found !== root) this.complain(`${name}: #${seq} goes back to #${found}, the order of events says #${root}`);
    const beginning = this.beginnings.get(root) ?? root;
    if (end !== beginning)
      this.complain(`${name}: #${seq} begins with #${end}, the order of events says #${beginning}`);
    const why = this.causes.whyNoEnd(end);
    if (why !== undefined) this.complain(`${name}: #${seq} ends at ${why}`);
  }

  private count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

/** Check the origin of every interrupt of a run. */
export function interruptOrigins(events: Iterable<Stamped>): Origins {
  const check = new OriginCheck();
  for (const stamped of events) check.next(stamped);
  return check.result;
}

/** The counts as a table. */
export const printOrigins = ({ injected, counts }: Origins): string =>
  [`${injected} interrupts injected`, ...[...counts].map(([name, count]) => `${count}`.padStart(8) + `  ${name}`)].join(
    '\n',
  );

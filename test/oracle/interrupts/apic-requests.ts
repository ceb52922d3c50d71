import { vcpuOf, type Stamped } from '../../../src/events/stamped.ts';
import type { EventOf, MachineEvent } from '../../../src/events/vocabulary.ts';
import type { Lines, Mover } from './lines.ts';

/** Who requested a vector, and the vector that sender sends. */
interface Sender {
  readonly mover: Mover;
  readonly vector: number;
}

/** A message an APIC took, before the next event has told who sent it. */
interface Message {
  readonly vcpu: number;
  readonly vector: number;
}

const IOAPIC = 2;
/** KVM_IRQCHIP_IOAPIC's redirection table begins after base, select, id, irr and pad. */
const REDIRECTION = 24;
/** Registers of the local APIC. SDM Vol. 3, Table 11-1. */
const SPURIOUS = 0xf0;
const IRR = 0x200;
const LVT_TIMER = 0x320;
const INITIAL_COUNT = 0x380;
const TSC_DEADLINE = 0x6e0;
const SOFTWARE_ENABLE = 0x100n;

/** Delivery modes that request a vector: fixed and lowest priority. */
const requestsVector = ({ dm, accepted }: EventOf<'kvm_apic_accept_irq'>): boolean => accepted && dm <= 0x100;

/**
 * What waits in the local APICs, and who asked for it. A message does not say who sent it: that is told by the events
 * around it. One that was asked for already is not asked for again. SDM Vol. 3, 11.8.4.
 */
export class ApicRequests {
  private readonly lines: Lines;
  /** By vCPU: what waits, by vector. */
  private readonly waiting: Map<number, Mover>[] = [];
  /** By vCPU: the expiry that is not delivered yet, and the vector of the LVT entry. */
  private readonly expired: (Mover | undefined)[] = [];
  private readonly timerVectors: number[] = [];
  /** Of the IOAPIC: which register is selected, and the vectors of the redirection table. */
  private selected = 0;
  private readonly pinVectors: number[] = [];
  private readonly messages: Message[] = [];
  /** The last event that can be the reason for a message, and who made it. */
  private last: MachineEvent = { kind: 'sim:powered_off' };
  private by: Mover = { seq: -1, root: -1, name: 'nobody' };
  private readonly complain: (what: string) => void;

  constructor(lines: Lines, complain: (what: string) => void) {
    this.lines = lines;
    this.complain = complain;
  }

  /** Every event, in order. `mover`: who would have made it. */
  next({ event, source, seq }: Stamped, mover: Mover): void {
    if (event.kind === 'sim:digest' || event.kind === 'sim:nmi_pending') return;
    if (event.kind === 'kvm_apic_accept_irq') {
      if (requestsVector(event)) this.messages.push({ vcpu: event.apicid, vector: event.vec });
      return;
    }
    if (this.messages.length > 0) this.attribute(event);
    this.keep(event, vcpuOf(source), { ...mover, seq });
  }

  /** The vector a vCPU takes into service, and who asked for it. */
  take(vcpu: number, vector: number): Mover | undefined {
    const mover = this.waiting[vcpu]?.get(vector);
    this.waiting[vcpu]?.delete(vector);
    return mover;
  }

  /** KVM_SET_LAPIC, INIT: what waits is what the registers say. */
  restore(vcpu: number, regs: Uint8Array | undefined, mover: Mover): void {
    const waiting = new Map<number, Mover>();
    this.waiting[vcpu] = waiting;
    this.expired[vcpu] = undefined;
    if (regs === undefined) return;
    this.timerVectors[vcpu] = regs[LVT_TIMER]!;
    for (let vector = 0; vector < 256; vector += 1) {
      const byte = regs[IRR + (vector >> 5) * 16 + ((vector & 31) >> 3)]!;
      if ((byte & (1 << (vector & 7))) !== 0) waiting.set(vector, mover);
    }
  }

  /** A GSI was driven just now: this is who did. */
  lineDriven(mover: Mover): void {
    this.by = mover;
  }

  /** The timer of a vCPU fired. One that waits already stays the one. */
  expire(vcpu: number, mover: Mover): void {
    this.expired[vcpu] ??= mover;
  }

  /** A person requests a vector, or takes it away. */
  set({ vcpu_id: vcpu, vector, pending }: EventOf<'sim:vector_set'>, mover: Mover): void {
    if (pending) this.request(vcpu, vector, mover);
    else this.take(vcpu, vector);
  }

  private request(vcpu: number, vector: number, mover: Mover): void {
    const waiting = (this.waiting[vcpu] ??= new Map());
    if (!waiting.has(vector)) waiting.set(vector, mover);
  }

  private attribute(after: MachineEvent): void {
    for (const { vcpu, vector } of this.messages) {
      const sender = this.senderBefore(after, vcpu);
      if (sender === undefined) this.complain(`vector ${vector} for vcpu${vcpu}: nobody is seen to send it`);
      else if (sender.vector !== vector) {
        this.complain(`vector ${vector} for vcpu${vcpu}: ${sender.mover.name} sends ${sender.vector}`);
      } else this.request(vcpu, vector, sender.mover);
    }
    this.messages.length = 0;
  }

  private senderBefore(after: MachineEvent, vcpu: number): Sender | undefined {
    if (after.kind === 'sim:ioapic_delivered') return this.lineSender(after.pin);
    if (after.kind === 'sim:lapic_timer_delivered') {
      const mover = this.expired[vcpu];
      return mover === undefined ? undefined : { mover, vector: this.timerVectors[vcpu]! };
    }
    const { last, by } = this;
    switch (last.kind) {
      case 'kvm_apic_ipi':
        return { mover: named(by, vcpu), vector: last.icr_low & 0xff };
      case 'kvm_hypercall':
        return { mover: named(by, vcpu), vector: Number(last.a3 & 0xffn) };
      case 'kvm_msi_set_irq':
        return { mover: { ...by, name: `MSI, ${by.name}` }, vector: last.data & 0xff };
      default:
        return undefined;
    }
  }

  /** A pin's message follows the line's rise, or is sent again because the line still stands. */
  private lineSender(pin: number): Sender | undefined {
    const { last, by } = this;
    const vector = this.pinVectors[pin] ?? -1;
    if (last.kind === 'kvm_set_irq') {
      return last.level > 0 && this.lines.leadsTo(last.gsi, IOAPIC, pin) ? { mover: by, vector } : undefined;
    }
    const raiser = this.lines.isHigh(IOAPIC, pin) ? this.lines.raiserOf(IOAPIC, pin) : undefined;
    const why = AGAIN[last.kind];
    if (raiser === undefined || why === undefined) return undefined;
    return { mover: { ...raiser, name: `${raiser.name}, ${why}` }, vector };
  }

  private keep(event: MachineEvent, vcpu: number, mover: Mover): void {
    if (REASONS.has(event.kind)) {
      this.last = event;
      this.by = mover;
    }
    switch (event.kind) {
      case 'sim:lapic_timer_delivered':
        this.expired[event.vcpu_id] = undefined;
        return;
      case 'sim:ioapic_write':
        this.writeIoapic(event);
        return;
      case 'ioctl:KVM_SET_IRQCHIP':
        if (event.chip_id === IOAPIC) this.restoreIoapic(event.state);
        return;
      case 'kvm_apic':
        if (event.rw !== 0) this.writeLapic(vcpu, event);
        return;
      case 'sim:msr_set':
        if (event.index === TSC_DEADLINE) this.expired[event.vcpu_id] = undefined;
        return;
      default:
    }
  }

  private writeIoapic({ offset, val }: EventOf<'sim:ioapic_write'>): void {
    if (offset === 0) this.selected = val & 0xff;
    else if (this.selected >= 0x10 && (this.selected & 1) === 0) {
      this.pinVectors[(this.selected - 0x10) >> 1] = val & 0xff;
    }
  }

  private restoreIoapic(state: Uint8Array): void {
    for (let pin = 0; pin < 24; pin += 1) this.pinVectors[pin] = state[REDIRECTION + pin * 8]!;
  }

  /** What a write takes back: a new count forgets an expiry that waits, a disabled APIC its timer. */
  private writeLapic(vcpu: number, { reg, val }: EventOf<'kvm_apic'>): void {
    if (reg === LVT_TIMER) this.timerVectors[vcpu] = Number(val & 0xffn);
    const forgets = reg === INITIAL_COUNT || (reg === SPURIOUS && (val & SOFTWARE_ENABLE) === 0n);
    if (forgets) this.expired[vcpu] = undefined;
  }
}

/** Why a line that stands high is heard of again. */
const AGAIN: Readonly<Partial<Record<MachineEvent['kind'], string>>> = {
  'sim:ioapic_eoi': 'again at EOI',
  'sim:ioapic_write': 'again when unmasked',
  'sim:timer_fire': 'again, delayed',
  'ioctl:KVM_SET_IRQCHIP': 'again when restored',
};

const REASONS: ReadonlySet<MachineEvent['kind']> = new Set([
  ...(['kvm_apic_ipi', 'kvm_hypercall', 'kvm_msi_set_irq', 'kvm_set_irq', 'kvm_apic'] as const),
  ...(Object.keys(AGAIN) as MachineEvent['kind'][]),
]);

const named = (by: Mover, vcpu: number): Mover => ({ ...by, name: by.name === `vcpu${vcpu}` ? 'self-IPI' : 'IPI' });

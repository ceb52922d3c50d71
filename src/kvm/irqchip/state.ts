import type { Ns, Seq } from '../../base/units.ts';

/** One 8259A as KVM keeps it (struct kvm_kpic_state). Intel 8259A data sheet. */
export interface PicChip {
  /** Input levels last seen, for edge detection. */
  readonly lastIrr: number;
  readonly irr: number;
  readonly imr: number;
  readonly isr: number;
  /** IRQ number that has the highest priority now. */
  readonly priorityAdd: number;
  readonly irqBase: number;
  /** 1: port 0 reads ISR, 0: IRR. */
  readonly readRegSelect: number;
  readonly poll: number;
  readonly specialMask: number;
  /** 0 ready, 1 expects ICW2, 2 ICW3, 3 ICW4. */
  readonly initState: number;
  readonly autoEoi: number;
  readonly rotateOnAutoEoi: number;
  readonly specialFullyNested: number;
  /** 1: ICW4 will follow. */
  readonly init4: number;
  readonly elcr: number;
  readonly elcrMask: number;
  /** By input: sequence number of what requested it; -1 while nothing waits. */
  readonly causes: readonly number[];
}

/** The cascaded pair: master, slave. */
export interface PicState {
  readonly chips: readonly [master: PicChip, slave: PicChip];
  /** INTR output of the master. */
  readonly output: boolean;
  /** Per pin 0..15: which sources assert it. */
  readonly irqStates: readonly number[];
}

/** RTC interrupts not yet EOIed, so that user space learns of coalesced ones (KVM's rtc_status). */
export interface RtcStatus {
  readonly pendingEoi: number;
  /** vCPUs the last RTC interrupt went to, one bit each of VCPUS_MAX. */
  readonly vcpus: number;
  readonly vectors: readonly number[];
}

/** 82093AA with 24 pins as KVM keeps it. */
export interface IoapicState {
  readonly ioregsel: number;
  readonly id: number;
  /** Asserted inputs. */
  readonly irr: number;
  /** Edges that were delivered, though their input is still high. */
  readonly irrDelivered: number;
  readonly redirLow: readonly number[];
  readonly redirHigh: readonly number[];
  readonly irqStates: readonly number[];
  /** Successive EOIs that found the line still high, per pin. */
  readonly eoiCount: readonly number[];
  /** By pin: sequence number of what asserted it last. */
  readonly causes: readonly number[];
  readonly rtc: RtcStatus;
}

/** LAPIC timer. SDM Vol. 3, 11.5.4. */
export interface LapicTimerState {
  /** LVT timer bits 18:17 in effect. */
  readonly mode: number;
  readonly divide: number;
  readonly period: number;
  /** Virtual nanosecond the current count reaches zero. */
  readonly target: Ns;
  readonly tscDeadline: bigint;
  /** Expired, not yet delivered: the LVT entry is masked or the APIC disabled. */
  readonly pending: boolean;
  /** Sequence number of the expiry that is pending. */
  readonly cause: Seq;
}

/** What CPUID promises this vCPU about its APIC. */
export interface LapicFeatures {
  readonly x2apic: boolean;
  readonly tscDeadline: boolean;
  readonly physicalBits: number;
}

/** Local APIC of one vCPU. SDM Vol. 3, Table 11-1. Registers are u32; vectors are 8 int32 words. */
export interface LapicState {
  readonly vcpu: number;
  readonly apicBase: number;
  /** APIC ID register: id in bits 31:24 (xAPIC) or the whole id (x2APIC). */
  readonly id: number;
  readonly tpr: number;
  readonly ldr: number;
  readonly dfr: number;
  readonly svr: number;
  readonly icrLow: number;
  readonly icrHigh: number;
  /** Timer, thermal, performance counter, LINT0, LINT1, error. */
  readonly lvt: readonly number[];
  readonly initialCount: number;
  readonly divideConfig: number;
  /** Error status as the last write of ESR left it, and what has been logged since. */
  readonly esr: number;
  readonly errors: number;
  readonly isr: readonly number[];
  readonly tmr: readonly number[];
  readonly irr: readonly number[];
  readonly timer: LapicTimerState;
  /** Last vector taken into service and not yet EOIed, -1 when unsure (KVM's highest_isr_cache). */
  readonly isrCache: number;
  /** By vector: sequence number of the message that requested it, while it waits. */
  readonly causes: Readonly<Record<number, number>>;
  /** Vectors whose EOI concerns the IOAPIC. */
  readonly ioapicHandled: readonly number[];
  readonly features: LapicFeatures;
}

/** struct kvm_pit_channel_state. */
export interface PitChannel {
  /** 1..65536. */
  readonly count: number;
  readonly latchedCount: number;
  readonly countLatched: number;
  readonly statusLatched: number;
  readonly status: number;
  readonly readState: number;
  readonly writeState: number;
  readonly writeLatch: number;
  readonly rwMode: number;
  readonly mode: number;
  readonly bcd: number;
  readonly gate: number;
  /** Virtual nanosecond. */
  readonly countLoadTime: number;
}

/** All of the PIT. Channel 0's time lives in its timer, as in KVM. */
export interface PitState {
  readonly channels: readonly PitChannel[];
  readonly flags: number;
  /** Port 61h is ours (KVM_PIT_SPEAKER_DUMMY). */
  readonly speaker: boolean;
  readonly period: number;
  readonly periodic: boolean;
  /** When the timer expires or last expired. */
  readonly expires: number;
  /** Ticks the guest missed are delivered after its EOI. */
  readonly reinject: boolean;
  readonly pending: number;
  readonly irqAck: boolean;
}

/** Where a GSI leads. Linux Documentation/virt/kvm/api.rst, KVM_SET_GSI_ROUTING. */
export type GsiRoute =
  | { readonly type: 'irqchip'; readonly irqchip: number; readonly pin: number }
  | { readonly type: 'msi'; readonly addressLow: number; readonly addressHigh: number; readonly data: number };

/** The VM's GSI table and its inverse. */
export interface GsiRouting {
  /** By GSI: its routes in the order they were set. */
  readonly routes: readonly (readonly GsiRoute[])[];
  /** By irqchip (0 master, 1 slave, 2 IOAPIC), by pin (slave pins are 8..15): the GSI, or -1. */
  readonly pinGsi: readonly (readonly number[])[];
}

/** All in-kernel interrupt controllers of one VM. */
export interface IrqchipState {
  readonly pic: PicState;
  readonly ioapic: IoapicState;
  readonly lapics: readonly LapicState[];
  readonly pit: PitState | undefined;
  readonly routing: GsiRouting;
  /** GSIs whose acknowledgement somebody wants to hear of (resampling irqfds). */
  readonly ackNotifiers: readonly number[];
}

/** KVM_IRQCHIP_* numbers. */
export const PIC_MASTER = 0;
export const PIC_SLAVE = 1;
export const IOAPIC = 2;

export const IOAPIC_PINS = 24;
export const PIC_PINS = 16;
export const RTC_PIN = 8;

/** KVM_USERSPACE_IRQ_SOURCE_ID: lines moved by KVM_IRQ_LINE. */
export const USERSPACE_SOURCE = 0;
/** KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID. */
export const RESAMPLE_SOURCE = 1;
/** The first source id KVM hands out: the PIT's. */
export const PIT_SOURCE = 2;

/** `n` zeros. */
export const zeros = (n: number): number[] => new Array<number>(n).fill(0);

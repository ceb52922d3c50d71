import type { PitState } from '../pit.ts';

/** One 8259A as KVM keeps it (struct kvm_kpic_state). Intel 8259A data sheet. */
export interface PicChip {
  /** Input levels last seen, for edge detection. */
  lastIrr: number;
  irr: number;
  imr: number;
  isr: number;
  /** IRQ number that has the highest priority now. */
  priorityAdd: number;
  irqBase: number;
  /** 1: port 0 reads ISR, 0: IRR. */
  readRegSelect: number;
  poll: number;
  specialMask: number;
  /** 0 ready, 1 expects ICW2, 2 ICW3, 3 ICW4. */
  initState: number;
  autoEoi: number;
  rotateOnAutoEoi: number;
  specialFullyNested: number;
  /** 1: ICW4 will follow. */
  init4: number;
  elcr: number;
  elcrMask: number;
}

/** The cascaded pair: master, slave. */
export interface PicState {
  chips: PicChip[];
  /** INTR output of the master. */
  output: boolean;
  /** Per pin 0..15: which sources assert it. */
  irqStates: number[];
}

/** RTC interrupts not yet EOIed, so that user space learns of coalesced ones (KVM's rtc_status). */
export interface RtcStatus {
  pendingEoi: number;
  /** vCPUs the last RTC interrupt went to, one bit each. */
  vcpus: number;
  vectors: number[];
}

/** 82093AA with 24 pins as KVM keeps it. */
export interface IoapicState {
  ioregsel: number;
  id: number;
  /** Asserted inputs. */
  irr: number;
  /** Edges that were delivered, though their input is still high. */
  irrDelivered: number;
  redirLow: number[];
  redirHigh: number[];
  irqStates: number[];
  /** Successive EOIs that found the line still high, per pin. */
  eoiCount: number[];
  /** Virtual nanosecond at which a throttled level interrupt is delivered again. */
  eoiInjectAt: number | undefined;
  rtc: RtcStatus;
}

/** LAPIC timer. SDM Vol. 3, 11.5.4. */
export interface LapicTimerState {
  /** LVT timer bits 18:17 in effect. */
  mode: number;
  divide: number;
  period: number;
  /** Virtual nanosecond the current count reaches zero. */
  target: number;
  /** Virtual nanosecond the timer fires; undefined: not running. */
  expiresAt: number | undefined;
  tscDeadline: bigint;
  /** Expired, not yet delivered: the LVT entry is masked or the APIC disabled. */
  pending: boolean;
}

/** What CPUID promises this vCPU about its APIC. */
export interface LapicFeatures {
  x2apic: boolean;
  tscDeadline: boolean;
  physicalBits: number;
}

/** Local APIC of one vCPU. SDM Vol. 3, Table 11-1. Registers are u32; vectors are 8 int32 words. */
export interface LapicState {
  vcpu: number;
  apicBase: number;
  /** APIC ID register: id in bits 31:24 (xAPIC) or the whole id (x2APIC). */
  id: number;
  tpr: number;
  ldr: number;
  dfr: number;
  svr: number;
  icrLow: number;
  icrHigh: number;
  /** Timer, thermal, performance counter, LINT0, LINT1, error. */
  lvt: number[];
  initialCount: number;
  divideConfig: number;
  isr: number[];
  tmr: number[];
  irr: number[];
  timer: LapicTimerState;
  /** Last vector taken into service and not yet EOIed, -1 when unsure (KVM's highest_isr_cache). */
  isrCache: number;
  /** Vectors whose EOI concerns the IOAPIC. */
  ioapicHandled: number[];
  features: LapicFeatures;
}

/** Where a GSI leads. Linux Documentation/virt/kvm/api.rst, KVM_SET_GSI_ROUTING. */
export type GsiRoute =
  | { type: 'irqchip'; irqchip: number; pin: number }
  | { type: 'msi'; addressLow: number; addressHigh: number; data: number };

/** The VM's GSI table and its inverse. */
export interface GsiRouting {
  /** By GSI: its routes in the order they were set. */
  routes: GsiRoute[][];
  /** By irqchip (0 master, 1 slave, 2 IOAPIC), by pin (slave pins are 8..15): the GSI, or -1. */
  pinGsi: number[][];
}

/** All in-kernel interrupt controllers of one VM. */
export interface IrqchipState {
  pic: PicState;
  ioapic: IoapicState;
  lapics: LapicState[];
  pit: PitState | undefined;
  routing: GsiRouting;
  /** GSIs whose acknowledgement somebody wants to hear of (resampling irqfds). */
  ackNotifiers: number[];
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

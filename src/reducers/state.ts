/** The only clock that decides when something happens, and how it is shown as time. */
export interface ClockState {
  /** Guest instructions retired by all vCPUs. */
  ticks: number;
  /** Virtual nanoseconds skipped while every vCPU was halted. */
  warpedNs: number;
  readonly nsPerTick: number;
}

/** How a run ended for good. */
export interface Ending {
  readonly why: 'powered-off' | 'exit' | 'panicked';
  readonly status: number;
}

/** Whose turn it is, and the envelope of the next event. */
export interface ScheduleState {
  /** Sequence number of the next event. */
  seq: number;
  turn: number;
  /** Ticks the vCPU whose turn it is may still run before another's turn. */
  quantumLeft: number;
  /** By vCPU: KVM_RUN returned, so that user space answers next. */
  userspace: boolean[];
  /** By vCPU: ticks run since its VM entry, when a run was cut without the guest noticing. */
  carriedTicks: number[];
  /** By vCPU: ran out of its budget within a VM entry that is still open. */
  inGuest: boolean[];
  /** By vCPU: sequence number of its last kvm_entry, -1 before the first. */
  entrySeq: number[];
  /** By vCPU: sequence number of its last kvm_exit, -1 before the first. */
  exitSeq: number[];
  /** Tick from which the next digest is due. */
  nextDigest: number;
  /** The due timers of this turn have expired already: the machine was stopped between them and the VM entry. */
  hasExpired: true | undefined;
  ended: Ending | undefined;
}

/** State of one named stream of chance: what `seedrandom.alea` gives back as its state. */
export type RandomState = Record<string, number>;

/** Everything that can influence the future and is plain. Memory, EPT pages and register blocks lie beside it. */
export interface MachineState {
  clock: ClockState;
  schedule: ScheduleState;
  random: Record<string, RandomState>;
  /** Host memory given out: the next free address. */
  hostMemory: { next: number };
  kvm: object;
  vmm: object;
}

/**
 * What a VM exit and the host's work on it cost the guest, in virtual ns: about what hardware takes for a light exit
 * (kvm-unit-tests `vmexit` cpuid: 1200 to 2000 cycles). Were it nothing, guests that time exits would wait for ever.
 */
export const VM_EXIT_NS = 600;

/** Virtual nanoseconds since power-on. */
export const nowNs = (clock: ClockState): number => clock.ticks * clock.nsPerTick + clock.warpedNs;

/** Ticks from now until virtual time reaches `deadline`; 0 when it has. */
export const ticksUntil = (clock: ClockState, deadline: number): number =>
  Math.max(0, Math.ceil((deadline - nowNs(clock)) / clock.nsPerTick));

/** The state before anything happened. */
export function stateAtPowerOn(nsPerTick: number, vcpus: number, kvm: object, vmm: object): MachineState {
  const each = <T>(value: T): T[] => Array.from({ length: vcpus }, () => value);
  return {
    clock: { ticks: 0, warpedNs: 0, nsPerTick },
    schedule: {
      seq: 0,
      turn: 0,
      quantumLeft: 0,
      userspace: each(false),
      carriedTicks: each(0),
      inGuest: each(false),
      entrySeq: each(-1),
      exitSeq: each(-1),
      nextDigest: 0,
      hasExpired: undefined,
      ended: undefined,
    },
    random: {},
    hostMemory: { next: 0 },
    kvm,
    vmm,
  };
}

import type { Source } from '../events/stamped.ts';
import type { Ns, Seq, Tick } from '../base/units.ts';
import type { KvmState } from '../kvm/state.ts';
import type { MachineConfig } from '../vmm/config.ts';
import type { VmmState } from '../vmm/state.ts';

/** Where a run has come to: its last event. seq -1: none has happened. */
export interface Place {
  readonly seq: Seq;
  /** Guest instructions retired by all vCPUs when it happened. */
  readonly tick: Tick;
}

/** Virtual time apart from ticks. */
export interface ClockState {
  /** Virtual nanoseconds that were not ticks: idle time, and what VM exits cost. */
  readonly warpedNs: Ns;
  /** Wall-clock nanoseconds (UTC) at power-on. */
  readonly wallClockAtPowerOn: bigint;
}

/** How a run ended for good. `stopped`, `power-lost`: by somebody outside, not by the guest. */
export interface Ending {
  readonly why: 'powered-off' | 'exit' | 'panicked' | 'stopped' | 'power-lost';
  readonly status: number;
}

/** A thread of the host, by the number its events have as their source. */
export type ThreadState = VcpuThread | WorkerThread;

/** vCPUs share a core of the host: they act in turns. */
export interface VcpuThread {
  readonly kind: 'vcpu';
  readonly source: Source;
  /** Tick at which its last turn is over. */
  readonly turnEnds: number;
}

/** A thread that waits for signals and has a core for itself. */
export interface WorkerThread {
  readonly kind: 'main-loop' | 'iothread' | 'vhost';
  readonly source: Source;
  /** Virtual nanosecond at which it acts next; undefined: it sleeps. */
  readonly actsAt: number | undefined;
  /** Virtual nanosecond until which it is busy with what it did last. */
  readonly busyUntil: number;
  /** What it is to do, oldest first. */
  readonly work: readonly Work[];
}

/**
 * An eventfd that was signalled, or a tap with something to be read, and the fact that made it work: the first signal
 * since the last read.
 */
export interface Work {
  readonly fd?: number;
  /** By its net client. */
  readonly tap?: string;
  readonly signal: number;
}

/** Whose turn it is, and what every thread is to do. */
export interface ScheduleState {
  /** The vCPU whose turn it is. */
  readonly turn: number;
  /** Those of the vCPUs first, in order. */
  readonly threads: readonly ThreadState[];
  /** Tick from which the next digest of memory is due. */
  readonly nextDigest: number;
  readonly ended: Ending | undefined;
}

/** Named streams of chance: how many numbers of each have been drawn. */
export interface ChanceState {
  readonly seed: string;
  readonly draws: Readonly<Record<string, number>>;
}

/**
 * Everything that can influence the future and is plain. Guest memory, EPT pages and registers lie beside it: an event
 * for each instruction would be absurd, so they are done again by replay.
 */
export interface MachineState {
  readonly at: Place;
  readonly config: MachineConfig;
  readonly clock: ClockState;
  readonly schedule: ScheduleState;
  readonly chance: ChanceState;
  /** Host memory given out: the next free host virtual address. */
  readonly hostMemory: { readonly next: number };
  readonly kvm: KvmState;
  readonly vmm: VmmState;
}

/** Virtual nanoseconds since power-on, when so many ticks are over. */
export const nowNs = ({ config, clock }: MachineState, ticks: Tick): Ns => ticks * config.nsPerTick + clock.warpedNs;

/** Ticks until virtual time reaches `deadline`; 0 when it has. */
export const ticksUntil = (state: MachineState, ticks: Tick, deadline: Ns): number =>
  Math.max(0, Math.ceil((deadline - nowNs(state, ticks)) / state.config.nsPerTick));

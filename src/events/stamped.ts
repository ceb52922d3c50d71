import type { Seq, Tick } from '../base/units.ts';
import type { MachineEvent } from './vocabulary.ts';

/**
 * Who caused an event, as a small number: 0 main loop, 1 timer, 2 user, 3 host network, 16 + n vCPU n,
 * 272 + n I/O thread n, 528 + n vhost worker n.
 */
export type Source = number;

/** The thread of user space that runs the devices. */
export const MAIN_LOOP: Source = 0;
/** An expired deadline of a kernel or device timer. */
export const TIMER: Source = 1;
/** A person or a script outside the machine. */
export const USER: Source = 2;
/** The network outside the machine. */
const HOST_NETWORK: Source = 3;

const FIRST_VCPU = 16;
const FIRST_IOTHREAD = 272;
const FIRST_VHOST = 528;

/** The source number of one vCPU's thread. */
export const vcpuSource = (vcpu: number): Source => FIRST_VCPU + vcpu;

/** The source number of one I/O thread, in the order of the machine's. */
export const iothreadSource = (index: number): Source => FIRST_IOTHREAD + index;

/** The source number of one vhost worker, in the order of the taps that have one. */
export const vhostSource = (index: number): Source => FIRST_VHOST + index;

/** The vCPU of a vCPU's thread, or -1. */
export const vcpuOf = (source: Source): number =>
  source >= FIRST_VCPU && source < FIRST_IOTHREAD ? source - FIRST_VCPU : -1;

const NAMED: Readonly<Record<number, string>> = {
  [MAIN_LOOP]: 'main-loop',
  [TIMER]: 'timer',
  [USER]: 'user',
  [HOST_NETWORK]: 'host-net',
};

/** A source as a person reads it: `vcpu0`, `main-loop`, `timer`... */
export function sourceName(source: Source): string {
  if (source >= FIRST_VHOST) return `vhost-${source - FIRST_VHOST}`;
  if (source >= FIRST_IOTHREAD) return `iothread${source - FIRST_IOTHREAD}`;
  if (source >= FIRST_VCPU) return `vcpu${source - FIRST_VCPU}`;
  return NAMED[source] ?? `source${source}`;
}

const MANY: readonly (readonly [word: RegExp, first: Source, next: Source])[] = [
  [/^vcpu(\d{1,3})$/, FIRST_VCPU, FIRST_IOTHREAD],
  [/^iothread(\d{1,3})$/, FIRST_IOTHREAD, FIRST_VHOST],
  [/^vhost-(\d{1,3})$/, FIRST_VHOST, Number.POSITIVE_INFINITY],
];

/** The sources there is one of, by name. */
export const SINGLE_SOURCES: readonly string[] = Object.values(NAMED);

/** The inverse of `sourceName`; undefined: no source is called so. */
export function sourceNamed(name: string): Source | undefined {
  const single = Object.entries(NAMED).find(([, each]) => each === name);
  if (single !== undefined) return Number(single[0]);
  for (const [word, first, next] of MANY) {
    const number = word.exec(name)?.[1];
    if (number !== undefined && first + Number(number) < next) return first + Number(number);
  }
  return undefined;
}

/** An event with its place in the run. Only the machine's one `raise` makes these. */
export interface Stamped<E extends MachineEvent = MachineEvent> {
  /** Total order, counted from 0. */
  readonly seq: Seq;
  /** Guest instructions retired by all vCPUs when it happened. */
  readonly tick: Tick;
  readonly source: Source;
  /**
   * Sequence number of what really made it: a timer's fire, a line that moved, an input, the guest's own exit. It is
   * kept beside whatever waits in between, so an interrupt names what asked for it, however long ago that was. The
   * guest's own exit has none, nor has an input.
   */
  readonly cause: Seq | undefined;
  /** Sequence number of the exit or input in whose handling it happened; a VM exit names its entry. */
  readonly within: Seq | undefined;
  readonly event: E;
}

import type { Ns } from '../../base/units.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import type { InputEvent } from '../../machine/parts.ts';
import type { MachineState } from '../../reducers/state.ts';
import type { LiveRun } from './live-run.ts';
import type { CharacterPort } from '../run-inputs.ts';

/** How a run came to its end: the process status, and what to tell a person. */
export interface SessionEnd {
  readonly status: number;
  readonly sentence?: string;
}

/** Why a session gave control back. */
export type SessionPause =
  /** Its slice of the host's time is over. */
  | { readonly pause: 'slice' }
  /** Every vCPU waits. `untilNs`: virtual time of the next deadline, when there is one. */
  | { readonly pause: 'idle'; readonly untilNs: Ns | undefined }
  /** Somebody holds the run. */
  | { readonly pause: 'held' }
  | { readonly pause: 'ended'; readonly end: SessionEnd };

/** What a run amounted to. */
export interface SessionFigures {
  readonly ticks: number;
  readonly events: number;
  readonly exits: number;
  readonly virtualNs: Ns;
}

/** One running machine, recorded, as its console drives it. */
export interface Session {
  /** What a person should know before the guest starts. */
  readonly warnings: readonly string[];
  /** The machine, to be looked at. */
  readonly view: GuestView;
  /** The state as it is now, immutable. */
  state(): MachineState;
  /**
   * Run for about so many milliseconds of the host's time. `paced`: stop before virtual time would jump over idling,
   * until `warp` is called; otherwise idle time is skipped at once.
   */
  run(milliseconds: number, paced: boolean): SessionPause;
  /**
   * Run until a virtual time, exclusive, or until somebody holds it: idle time is skipped at once, but not beyond.
   * `untilNs` of an idle machine is when its next timer is due, even of one that nothing within can wake.
   */
  runTo(ns: Ns, gate: { readonly isHeld: boolean }): SessionPause;
  /** Let virtual time jump to the next deadline. */
  warp(): void;
  /** Type bytes at a serial line or a device: an input, recorded at this place. */
  type(at: CharacterPort, bytes: Uint8Array): void;
  /** Hand a device bulk bytes from outside: an input that names them, recorded at this place. */
  receive(dev: string, bytes: Uint8Array): void;
  /** Hand an input over: recorded at this place. */
  send(event: InputEvent): void;
  /** Inputs wait to be delivered. */
  readonly hasInputs: boolean;
  /** Somebody of the host's network may be about to say something: idle time is not to be skipped. */
  readonly isAwaited: boolean;
  /** Whether the guest has opened a serial line for receiving. A device keeps what it is given. */
  listens(at: CharacterPort): boolean;
  /** Bytes typed there that the guest has not taken yet. A device takes all at once. */
  waiting(at: CharacterPort): number;
  /** Virtual nanoseconds since power-on. */
  now(): Ns;
  /** Virtual nanoseconds since the guest last printed. */
  silence(): number;
  /** The guest has powered off. */
  readonly isOff: boolean;
  readonly isStopped: boolean;
  setStopped(stopped: boolean): void;
  figures(): SessionFigures;
  /** Hand on what the guest has printed, and write what the trace has held back for long. */
  flush(): void;
  /** The run as gdb holds it, when `-gdb` was asked for. */
  readonly live: LiveRun | undefined;
  /** Finish the trace. The machine cannot run on. */
  close(): void;
}

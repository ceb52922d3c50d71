import { defer, map, type Observable, share } from 'rxjs';
import { Problem } from '../../base/problem.ts';
import type { HostSockets } from './host-sockets.ts';
import { openSockets } from './open-sockets.ts';
import { typist } from './typist.ts';
import type { Stamped } from '../../events/stamped.ts';
import { createMachine } from '../../machine/machine.ts';
import type { InputEvent, PendingInput } from '../../machine/parts.ts';
import { reduce } from '../../reducers/evolve.ts';
import { powerOn } from '../../reducers/power-on.ts';
import { seal } from '../../reducers/seal.ts';
import type { MachineState } from '../../reducers/state.ts';
import { Gate } from '../../replay/streams/hold.ts';
import { shown } from '../../replay/streams/shown.ts';
import { statesOf } from '../../replay/streams/states.ts';
import { Told } from '../../replay/streams/told.ts';
import { createTimeline, type Timeline } from '../../replay/timeline.ts';
import { isDelivered } from '../../replay/trace/trace-inputs.ts';
import { inputsAgain } from '../../replay/verify.ts';
import { assemble } from '../machine/assemble.ts';
import { configurationOf } from '../machine/machine-description.ts';
import { type EventMark, lookAt, type Moment, momentAt } from '../moment.ts';
import { startSession } from './open-session.ts';
import { type Prepared, prepared } from './prepare.ts';
import type { Opened } from '../opened.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { World } from '../world.ts';
import { type CharacterPort, payloadFor, typedAt } from '../run-inputs.ts';
import type { Session } from './session.ts';

/** What a person presses, and what comes of it. `wake-up`: out of sleep (S3). */
const BUTTONS = {
  power: 'sim:power_button_pressed',
  reset: 'sim:reset_requested',
  nmi: 'sim:nmi_requested',
  'wake-up': 'sim:wakeup_requested',
} as const;

type Button = keyof typeof BUTTONS;

/** How a run came to its end. */
export interface RunEnd {
  /**
   * `ended`: the guest powered off, asked for the end or failed, or the instructions asked for were run. `idle`: every
   * processor waits for what nobody will send. `closed`: the program closed the run.
   */
  readonly why: 'ended' | 'idle' | 'closed';
  /** What `retrovisor run` would end with. */
  readonly status: number;
  /** What a person is to be told. */
  readonly sentence: string | undefined;
}

/**
 * A run under way. It begins by itself once somebody has subscribed or asked for its end, when the program next comes
 * to rest: who subscribes before that misses nothing.
 */
export interface OpenedRun extends Opened {
  /** Begin without a subscriber. */
  start(): void;
  /** Resolves when the run has ended and its files are closed. Rejects with what it failed of. */
  ended(): Promise<RunEnd>;
  /**
   * Type at a serial line (COM1 is 0) or at a device by its name, like `isa-debugcon#0`: the first `-device` is 0. The
   * guest receives it before its next instruction.
   */
  type(text: string | Uint8Array, at?: CharacterPort): void;
  /**
   * Hand bulk bytes to a device, by its name: a packet, a piece of a file. The run keeps each content once, and so does
   * its trace.
   */
  receive(dev: string, bytes: Uint8Array): void;
  press(button: Button): void;
  /** Press and release keys of the keyboard: scan codes of set 1. */
  key(codes: readonly number[] | Uint8Array): void;
}

/**
 * Open a run of the machine the options describe. Throws a Problem for images that cannot be read.
 */
export function openRun(world: World, options: RunOptions): OpenedRun {
  return openPrepared(prepared(world, options));
}

/** The same for a run that is prepared already. */
export const openPrepared = (made: Prepared): OpenedRun => new RunUnderWay(made);

/** How long the machine runs before the rest of the program has its turn. */
const SLICE_MS = 8;

/** A guest that idles is looked at so often. */
const LONGEST_WAIT_MS = 250;
const NS_PER_MS = 1e6;

/** How long a run is held before its trace has all that was told. */
const HELD_MS = 500;

class RunUnderWay implements OpenedRun {
  readonly events$: Observable<Stamped>;
  readonly states$: Observable<MachineState>;
  private readonly made: Prepared;
  private readonly told = new Told();
  private readonly gate = new Gate();
  private readonly taken: PendingInput[] = [];
  /** What was told before the machine stood. */
  private readonly building: Stamped[] = [];
  /** Given before the machine stood. */
  private readonly early: InputEvent[] = [];
  private session: Session | undefined;
  private running: Promise<RunEnd> | undefined;
  private last: EventMark = { seq: -1, tick: 0 };
  private isClosing = false;
  private timeline: Timeline | undefined;
  /** Go on although the run is held: it is to be closed. */
  private wake: () => void = () => undefined;
  /** Something has come from outside. */
  private rouse: () => void = () => undefined;

  constructor(made: Prepared) {
    this.made = made;
    this.told.events$.subscribe({ next: (stamped) => this.note(stamped), error: () => undefined });
    const begun = <T>(stream: Observable<T>): Observable<T> =>
      defer(() => {
        this.start();
        return stream;
      });
    this.events$ = begun(this.told.events$.pipe(map(shown), share()));
    this.states$ = begun(statesOf(this.told.events$, (first) => this.stateAfter(first)).pipe(share()));
  }

  start(): void {
    this.running ??= this.isClosing ? Promise.resolve(CLOSED) : this.run();
    // Who asks for the end is told of a failure; nobody else has to hear of it twice.
    this.running.catch(() => undefined);
  }

  ended(): Promise<RunEnd> {
    this.start();
    return this.running as Promise<RunEnd>;
  }

  type(text: string | Uint8Array, at: CharacterPort = 0): void {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : Uint8Array.from(text);
    this.send(typedAt(at, bytes));
  }

  receive(dev: string, bytes: Uint8Array): void {
    this.send(payloadFor(dev, this.made.payloads.keep(bytes), bytes.length));
  }

  press(button: Button): void {
    this.send({ kind: BUTTONS[button] });
  }

  key(codes: readonly number[] | Uint8Array): void {
    this.send({ kind: 'sim:keyboard_received', bytes: Uint8Array.from(codes) });
  }

  hold() {
    return this.gate.hold();
  }

  describe() {
    const { description: machine, identities: images, options } = this.made;
    return { machine, images, seed: options.seed };
  }

  at(mark: EventMark): Moment {
    if (mark.seq > this.last.seq || mark.seq < 0) {
      throw new Problem(`The run has no event ${mark.seq}: it has come to event ${this.last.seq}.`);
    }
    return momentAt(mark, this.stateAt(mark), () => this.standing());
  }

  close(): void {
    this.isClosing = true;
    // A machine that is held stops after the step under way.
    this.gate.hold();
    this.wake();
    if (this.running === undefined) this.told.end();
  }

  private send(event: InputEvent): void {
    if (this.session === undefined) this.early.push(event);
    else this.session.send(event);
  }

  private note(stamped: Stamped): void {
    const { seq, tick, event } = stamped;
    this.last = { seq, tick };
    if (this.session === undefined) this.building.push(stamped);
    if (!isDelivered(event.kind)) return;
    this.taken.push({ seq, tick, ns: this.session?.now() ?? 0, event: event as InputEvent });
  }

  /** The state just after the event that is being told. */
  private stateAfter(stamped: Stamped): MachineState {
    return this.session === undefined ? reduce(this.atPowerOn(), stamped) : this.session.state();
  }

  private atPowerOn(): MachineState {
    return seal(undefined, powerOn(configurationOf(this.made.description)));
  }

  private stateAt(mark: EventMark): MachineState {
    const { building } = this;
    if (mark.seq < building.length) return building.slice(0, mark.seq + 1).reduce(reduce, this.atPowerOn());
    return lookAt(this.standing(), mark, ({ state }) => seal(undefined, state));
  }

  /** The same machine once more, to be stood in. */
  private standing(): Timeline {
    const { options, ...made } = this.made;
    const { seed } = options;
    const last = (): EventMark => this.last;
    this.timeline ??= createTimeline({
      build: (parts) => createMachine(assemble({ ...made, seed, ...parts })),
      inputs: inputsAgain(this.taken),
      get recordedTo() {
        return last().seq + 1;
      },
      onEvent: () => undefined,
    });
    return this.timeline;
  }

  private async run(): Promise<RunEnd> {
    await this.made.world.othersTurn();
    const script = typist(this.made.options.typed);
    const output = {
      serial: (line: number, bytes: Uint8Array) => {
        if (line === 0) script.hear(bytes);
      },
      character: () => undefined,
      rouse: () => this.rouse(),
    };
    let close: (() => void) | undefined;
    let forget: (() => void) | undefined;
    let sockets: HostSockets | undefined;
    try {
      sockets = await openSockets(this.made.world, this.made.options);
      const session = startSession(this.made, output, { told: this.told, gate: this.gate, sockets });
      this.session = session;
      close = once(() => session.close());
      // An error somebody else's code dies of must not leave half a trace.
      forget = this.made.world.atExit(close);
      for (const event of this.early.splice(0)) session.send(event);
      const end = await this.toItsEnd(session, script);
      close();
      return end;
    } catch (error) {
      this.told.fail(error);
      close?.();
      throw error;
    } finally {
      sockets?.close();
      forget?.();
    }
  }

  private async toItsEnd(session: Session, script: ReturnType<typeof typist>): Promise<RunEnd> {
    for (;;) {
      await this.whenOpen();
      if (this.isClosing) return CLOSED;
      const pause = session.run(SLICE_MS, session.isAwaited);
      if (this.isClosing) return CLOSED;
      if (pause.pause === 'ended') {
        const { status, sentence } = pause.end;
        return { why: 'ended', status, sentence };
      }
      const typed = script.next();
      if (typed !== undefined) session.type(0, typed);
      else if (pause.pause === 'idle' && !session.hasInputs && session.isAwaited) await this.idled(session, pause);
      else if (pause.pause === 'idle' && !session.hasInputs && !this.gate.isHeld) return IDLE;
    }
  }

  /** The guest idles while somebody outside may say something: until that, or its next moment in real time. */
  private async idled(session: Session, { untilNs }: { readonly untilNs: number | undefined }): Promise<void> {
    const { world } = this.made;
    const wait = untilNs === undefined ? LONGEST_WAIT_MS : (untilNs - session.now()) / NS_PER_MS;
    const until = world.milliseconds() + Math.min(wait, LONGEST_WAIT_MS);
    let isRoused = false;
    await new Promise<void>((pass) => {
      const forget = world.later(Math.max(until - world.milliseconds(), 0), pass);
      this.rouse = () => {
        isRoused = true;
        forget();
        pass();
      };
      this.wake = this.rouse;
    });
    this.rouse = () => undefined;
    if (!isRoused && wait <= LONGEST_WAIT_MS) session.warp();
  }

  /** At rest, and nobody holds the run. */
  private async whenOpen(): Promise<void> {
    const { world } = this.made;
    await world.othersTurn();
    while (this.gate.isHeld && !this.isClosing) {
      // Whoever holds the run may do so for ever.
      const forget = world.later(HELD_MS, () => this.session?.flush());
      await new Promise<void>((pass) => {
        this.wake = pass;
        this.gate.whenOpen(pass);
      });
      forget();
    }
  }
}

const CLOSED: RunEnd = { why: 'closed', status: 0, sentence: undefined };
const IDLE: RunEnd = { why: 'idle', status: 0, sentence: undefined };

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}

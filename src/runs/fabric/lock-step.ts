/**
 * Several machines in one run. Each has a clock of its own, and runs ahead as far as nothing can reach it that another
 * still does (conservative synchronization, after Chandy, Misra and Bryant): so what a machine is given, and when, does
 * not depend on who was run first or for how long.
 */
import type { Ns } from '../../base/units.ts';
import { IDLE_LIMIT } from '../../machine/loop.ts';
import type { InputEvent } from '../../machine/parts.ts';
import { type Arrival, type Inbox, PEOPLE } from './inbox.ts';
import { horizonOf, type Link, type LinkEnd } from './links.ts';

/** How a machine has run. */
export type LanePause =
  /** It has come to the time it was to come to, or somebody holds it. */
  | { readonly pause: 'slice' }
  /** It waits: virtual time of its next deadline, Infinity where only others can wake it. */
  | { readonly pause: 'idle'; readonly untilNs: Ns }
  | { readonly pause: 'ended' };

/** A frame that leaves a machine. */
export interface Departure {
  readonly ns: Ns;
  /** Nanoseconds it takes beyond its link's latency. */
  readonly delay: Ns;
  readonly dev: string;
  readonly bytes: Uint8Array;
  /** What is left to be done to it, as `sim:packet_sent` has that. */
  readonly header: Uint8Array;
}

/** One of the machines. */
export interface Lane {
  now(): Ns;
  /** Virtual nanoseconds of an instruction: it stands at a multiple of them, or between two where it waits. */
  readonly tickNs: number;
  /** Run until a virtual time, or until it has sent a frame, or somebody holds it. */
  runTo(ns: Ns, gate: { readonly isHeld: boolean }): LanePause;
  /** It does nothing for itself: its run is over when those of the others are. */
  readonly isBridge: boolean;
  /** Instructions it has run: nothing but timers may go on without. */
  ticks(): number;
  /** It sleeps until an alarm, however many other timers fire before. */
  readonly awaitsAlarm: boolean;
  /** What it is given, once it is time. */
  readonly inbox: Inbox;
  /** What it has sent since the last time. */
  takeDepartures(): readonly Departure[];
}

/** How all machines together have run. */
export type Standing =
  | { readonly pause: 'slice' }
  /** None does anything any more, unless somebody outside has a say. */
  | { readonly pause: 'idle' }
  | { readonly pause: 'ended' };

interface Seat {
  readonly lane: Lane;
  readonly inbox: Inbox;
  /** When it next does something by itself. */
  wakes: Ns;
  /** How far it has come: a debugger may stand in its past. */
  reached: Ns;
  hasEnded: boolean;
  /** It waits, or did when it was run last. */
  isIdle: boolean;
  /** It is there for the others, and nobody waits for its end. */
  readonly serves: boolean;
}

/** A link, from one of its ends. */
interface Way extends Omit<Link, 'ends'> {
  readonly to: LinkEnd;
}

/** Those that serve have so long to finish what they do when the others are over. */
const LONGEST_AFTERWARDS_NS = 1_000_000_000;

/** What a machine runs in one go: people are to be heard in between, at moments that do not hang on the host. */
const LONGEST_TURN_NS = 2_000_000;

/** Machines joined by links. */
export class LockStep {
  private readonly seats: readonly Seat[];
  private readonly links: readonly Link[];
  private readonly ways: ReadonlyMap<string, Way>;
  private turn = 0;
  /** Frames and inputs so far: a number for each. */
  private numbered = 0;
  /** Turns since one of them ran an instruction, or was sent something: so many mean that nobody is going to wake. */
  private quietTurns = 0;

  /** `serving`: numbers of the machines that are there for the others: when those are over, all are. */
  constructor(lanes: readonly Lane[], links: readonly Link[], serving: readonly number[] = []) {
    this.links = links;
    this.seats = lanes.map((lane, machine) => ({
      ...{ lane, inbox: lane.inbox, wakes: lane.now(), reached: lane.now(), hasEnded: false, isIdle: false },
      serves: serving.includes(machine),
    }));
    this.ways = new Map(
      links.flatMap(({ ends: [one, other], ...link }) => [
        [nameOf(one), { ...link, to: other }] as const,
        [nameOf(other), { ...link, to: one }] as const,
      ]),
    );
  }

  /** The clock of all: as far as any of them has come. */
  now(): Ns {
    return this.seats.reduce((most, { lane }) => Math.max(most, lane.now()), 0);
  }

  hasEnded(machine: number): boolean {
    return this.seats[machine]!.hasEnded;
  }

  /** What somebody outside says to a machine: it comes when the clock of all is there. */
  send(machine: number, event: InputEvent): void {
    this.arrive(machine, { ns: this.now(), from: PEOPLE, event });
  }

  /** When one of them next does something; the clock of one that runs. Infinity: none ever. */
  nextMoment(): Ns {
    return Math.min(...this.seats.map(earliestOf));
  }

  /** The machine whose turn it is runs as far as it may, but not for long. */
  step(gate: { readonly isHeld: boolean }): Standing {
    if (this.isOver()) return { pause: 'ended' };
    const isAwaited = this.seats.some(({ hasEnded, lane }) => !hasEnded && lane.awaitsAlarm);
    if (this.quietTurns >= IDLE_LIMIT && !isAwaited) return { pause: 'idle' };
    return this.turnOf(gate, Infinity, () => false);
  }

  /** The same up to a moment, at which some stand already; 'idle': all others do. */
  stepTo(ns: Ns, stands: (machine: number) => boolean, gate: { readonly isHeld: boolean }): Standing {
    return this.turnOf(gate, ns, stands);
  }

  private turnOf(gate: { readonly isHeld: boolean }, before: Ns, stands: (machine: number) => boolean): Standing {
    const { seats } = this;
    const earliest = seats.map(earliestOf);
    for (let tried = 0; tried < seats.length; tried += 1) {
      const at = this.turn;
      this.turn = (at + 1) % seats.length;
      // It stops between instructions, and before the horizon: what comes there comes before anything else does.
      const horizon = horizonOf(at, earliest, this.links) - seats[at]!.lane.tickNs;
      const end = Math.min(horizon, earliest[at]! + LONGEST_TURN_NS, before);
      if (earliest[at]! < end && seats[at]!.reached < before && !stands(at)) {
        this.runSeat(at, end, gate);
        return { pause: 'slice' };
      }
    }
    return { pause: 'idle' };
  }

  /**
   * All have ended but those that serve, and these have dealt with what was sent to them: they wait, with nothing on
   * its way to them, or have had their time. Bridges are where the last of all is.
   */
  private isOver(): boolean {
    const { seats } = this;
    const isWaitedFor = ({ hasEnded, serves, lane }: Seat): boolean => !hasEnded && !serves && !lane.isBridge;
    if (seats.some(isWaitedFor)) return false;
    const endNs = seats.reduce((last, { hasEnded, lane }) => (hasEnded ? Math.max(last, lane.now()) : last), 0);
    const isServed = seats.some(({ hasEnded, serves }) => serves && !hasEnded);
    const now = this.now();
    return seats.every((seat) => {
      const { lane, inbox } = seat;
      if (seat.hasEnded || lane.now() >= endNs + LONGEST_AFTERWARDS_NS) return true;
      const isEmpty = inbox.nextNs === Infinity;
      if (lane.isBridge) return earliestOf(seat) > now && (isEmpty || !isServed);
      return seat.isIdle && isEmpty && seat.wakes >= endNs;
    });
  }

  private runSeat(at: number, end: Ns, gate: { readonly isHeld: boolean }): void {
    const seat = this.seats[at]!;
    const { lane } = seat;
    // What may come at the horizon or later is not known yet.
    lane.inbox.opensUntil = end;
    const ticks = lane.ticks();
    const pause = lane.runTo(end, gate);
    this.quietTurns = lane.ticks() === ticks ? this.quietTurns + 1 : 0;
    seat.reached = lane.now();
    seat.hasEnded = pause.pause === 'ended';
    seat.isIdle = pause.pause === 'idle';
    seat.wakes = seat.hasEnded ? Infinity : pause.pause === 'idle' ? pause.untilNs : lane.now();
    const departures = lane.takeDepartures();
    // Others may answer before that.
    if (departures.length > 0) lane.inbox.opensUntil = Math.min(end, lane.now());
    for (const departure of departures) {
      const way = this.ways.get(nameOf({ machine: at, dev: departure.dev }));
      if (way === undefined) continue;
      const ns = departure.ns + way.latencyNs + departure.delay;
      this.arrive(way.to.machine, { ns, from: at, event: arrivalOf(departure, way) });
    }
  }

  private arrive(machine: number, what: Omit<Arrival, 'number'>): void {
    const { inbox, hasEnded } = this.seats[machine]!;
    if (hasEnded) return;
    this.numbered += 1;
    this.quietTurns = 0;
    inbox.add({ ...what, number: this.numbered });
  }
}

function arrivalOf({ bytes, header }: Departure, { to: { dev }, isInside }: Way): InputEvent {
  return isInside === true
    ? { kind: 'sim:packet_received', dev, bytes, header }
    : { kind: 'sim:frame_received', dev, bytes };
}

const nameOf = ({ machine, dev }: LinkEnd): string => `${machine} ${dev}`;

/** When a machine next does something, by itself or because of what is on its way to it. */
const earliestOf = ({ wakes, inbox, hasEnded }: Seat): Ns => (hasEnded ? Infinity : Math.min(wakes, inbox.nextNs));

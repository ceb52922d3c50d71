import type { Ns } from '../../base/units.ts';
import type { Told } from '../../replay/streams/told.ts';
import type { Session, SessionEnd } from '../underway/session.ts';
import { Departures } from './departures.ts';
import type { Inbox } from './inbox.ts';
import type { Departure, Lane, LanePause } from './lock-step.ts';

/** A recorded machine as one of several. */
export class SessionLane implements Lane {
  readonly session: Session;
  readonly inbox: Inbox;
  readonly isBridge: boolean;
  readonly tickNs: number;
  /** How it came to its end; undefined: it has not. */
  end: SessionEnd | undefined;
  private readonly departures: Departures;

  /** `told`: what tells the session's events. `inbox`: what its machine is given from. */
  constructor(session: Session, told: Told, inbox: Inbox) {
    this.session = session;
    this.inbox = inbox;
    const { config } = session.view.machine.state;
    this.isBridge = config.smp === 0;
    this.tickNs = config.nsPerTick;
    this.departures = new Departures(() => session.now());
    told.events$.subscribe({ next: (stamped) => this.departures.next(stamped), error: () => undefined });
  }

  now(): Ns {
    return this.session.now();
  }

  ticks(): number {
    return this.session.view.machine.ticks;
  }

  /** It has sent what nobody was given yet. */
  get hasSent(): boolean {
    return !this.departures.isEmpty;
  }

  get awaitsAlarm(): boolean {
    return this.session.view.machine.vmm.awaitsAlarm;
  }

  runTo(ns: Ns, gate: { readonly isHeld: boolean }): LanePause {
    const { departures, session } = this;
    const both = {
      get isHeld() {
        return !departures.isEmpty || gate.isHeld;
      },
    };
    // A debugger may stand in its past.
    session.live?.toItsEnd();
    const pause = session.runTo(ns, both);
    if (pause.pause === 'ended') {
      this.end = pause.end;
      if (session.live !== undefined) session.live.hasEnded = true;
    }
    if (pause.pause === 'idle') return { pause: 'idle', untilNs: pause.untilNs ?? Infinity };
    return pause.pause === 'ended' ? { pause: 'ended' } : { pause: 'slice' };
  }

  takeDepartures(): readonly Departure[] {
    return this.departures.takeAll();
  }
}

import type { Ns } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';
import { SentPackets } from '../underway/outside/sent-packets.ts';
import type { Departure } from './lock-step.ts';

/** A reader of a machine's run that collects the frames which leave it, with their bytes and times. */
export class Departures {
  private readonly now: () => Ns;
  private readonly packets = new SentPackets();
  private departed: Departure[] = [];
  /** Nanoseconds that the next to leave takes beyond its link's latency. */
  private delay = 0;

  constructor(now: () => Ns) {
    this.now = now;
  }

  next({ event }: Stamped): void {
    this.packets.next(event);
    if (event.kind === 'sim:frame_delayed') this.delay = event.by;
    if (event.kind !== 'sim:frame_left') return;
    const { delay } = this;
    this.delay = 0;
    const packet = this.packets.packetOf(event.packet);
    if (packet !== undefined) this.departed.push({ ns: this.now(), delay, dev: event.dev, ...packet });
  }

  get isEmpty(): boolean {
    return this.departed.length === 0;
  }

  takeAll(): readonly Departure[] {
    const { departed } = this;
    this.departed = [];
    return departed;
  }
}

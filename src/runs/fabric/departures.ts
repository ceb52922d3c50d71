import type { Ns } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { Departure } from './lock-step.ts';

/** A reader of a machine's run that collects the frames which leave it, with their bytes and times. */
export class Departures {
  private readonly now: () => Ns;
  /** Bytes of packets nobody has taken yet, and of the one taken last. */
  private readonly sent = new Map<number, Uint8Array>();
  private taken: { readonly packet: number; readonly bytes: Uint8Array } | undefined;
  private departed: Departure[] = [];

  constructor(now: () => Ns) {
    this.now = now;
  }

  next({ event }: Stamped): void {
    switch (event.kind) {
      case 'sim:packet_sent':
        this.sent.set(event.packet, event.bytes);
        break;
      case 'sim:packet_delivered':
        this.take(event.packet);
        break;
      case 'sim:packet_dropped':
        this.sent.delete(event.packet);
        break;
      case 'sim:frame_left':
        if (this.taken?.packet === event.packet) {
          this.departed.push({ ns: this.now(), dev: event.dev, bytes: this.taken.bytes });
        }
        break;
    }
  }

  get isEmpty(): boolean {
    return this.departed.length === 0;
  }

  takeAll(): readonly Departure[] {
    const { departed } = this;
    this.departed = [];
    return departed;
  }

  private take(packet: number): void {
    const bytes = this.sent.get(packet);
    if (bytes !== undefined) this.taken = { packet, bytes };
    this.sent.delete(packet);
  }
}

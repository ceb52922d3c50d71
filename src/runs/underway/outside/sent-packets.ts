import type { MachineEvent } from '../../../events/vocabulary.ts';
import { NOTHING } from '../../../packets/layout.ts';

/** How many packets are kept, and of how many bytes: more than wait in the queues of a network. */
const MOST_KEPT = 1 << 16;
const MOST_BYTES = 64 << 20;

/** A packet that leaves: its header as `sim:packet_sent` has it. */
export interface Left {
  readonly bytes: Uint8Array;
  readonly header: Uint8Array;
}

/** Bytes of packets that may still leave a machine: at once, after a while, by several ways. It is told all events. */
export class SentPackets {
  private readonly packets = new Map<number, Left>();
  private keptBytes = 0;

  next(event: MachineEvent): void {
    switch (event.kind) {
      case 'sim:packet_sent':
        this.keep(event.packet, event);
        break;
      // Who finishes a packet on its way tells it anew.
      case 'sim:packet_delivered':
      case 'sim:packet_queued':
      case 'sim:tap_queued':
        if (event.bytes.length > 0) this.keep(event.packet, { bytes: event.bytes, header: NOTHING });
        break;
      default:
    }
  }

  /** undefined: it was sent too long ago. */
  bytesOf(packet: number): Uint8Array | undefined {
    return this.packets.get(packet)?.bytes;
  }

  /** With what is left to be done to it. */
  packetOf(packet: number): Left | undefined {
    return this.packets.get(packet);
  }

  private keep(packet: number, { bytes, header }: Left): void {
    this.forget(packet);
    this.packets.set(packet, { bytes, header });
    this.keptBytes += bytes.length;
    for (const number of this.packets.keys()) {
      if (this.packets.size <= MOST_KEPT && this.keptBytes <= MOST_BYTES) return;
      this.forget(number);
    }
  }

  private forget(packet: number): void {
    this.keptBytes -= this.packets.get(packet)?.bytes.length ?? 0;
    this.packets.delete(packet);
  }
}

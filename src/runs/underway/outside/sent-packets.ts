import type { MachineEvent } from '../../../events/vocabulary.ts';

/** How many packets are kept, and of how many bytes: more than wait in the queues of a network. */
const MOST_KEPT = 1 << 16;
const MOST_BYTES = 64 << 20;

/** Bytes of packets that may still leave a machine: at once, after a while, by several ways. It is told all events. */
export class SentPackets {
  private readonly packets = new Map<number, Uint8Array>();
  private keptBytes = 0;

  next(event: MachineEvent): void {
    switch (event.kind) {
      case 'sim:packet_sent':
        this.keep(event.packet, event.bytes);
        break;
      // Who finishes a packet on its way tells it anew.
      case 'sim:packet_delivered':
      case 'sim:packet_queued':
      case 'sim:tap_queued':
        if (event.bytes.length > 0) this.keep(event.packet, event.bytes);
        break;
      default:
    }
  }

  /** undefined: it was sent too long ago. */
  bytesOf(packet: number): Uint8Array | undefined {
    return this.packets.get(packet);
  }

  private keep(packet: number, bytes: Uint8Array): void {
    this.forget(packet);
    this.packets.set(packet, bytes);
    this.keptBytes += bytes.length;
    for (const number of this.packets.keys()) {
      if (this.packets.size <= MOST_KEPT && this.keptBytes <= MOST_BYTES) return;
      this.forget(number);
    }
  }

  private forget(packet: number): void {
    this.keptBytes -= this.packets.get(packet)?.length ?? 0;
    this.packets.delete(packet);
  }
}

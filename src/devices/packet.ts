/** What a device that is a net client may do with packets. */
import type { Gpa, Ns } from '../base/units.ts';

/** An Ethernet frame without its check sequence, and its number among the machine's. */
export interface Packet {
  readonly number: number;
  readonly bytes: Uint8Array;
  /** What is left to be done to it: see `sim:packet_sent`. Absent: nothing. */
  readonly header?: Uint8Array | undefined;
  /** The net client at which it arrives: a device may be several. */
  readonly at: string;
  /** Of a device with several queues: at which. Absent: at the first. */
  readonly queue?: number | undefined;
}

/** What is at the other end of a net client's wire. */
export interface NetPeer {
  /** As `info network` has it. */
  readonly name: string;
  readonly type: string;
  /** Packets may leave checksums and segments to whoever takes them, as a header says. */
  readonly takesHeaders: boolean;
  /** Packets may be shorter than a wire's, of 60 bytes: QEMU's do_not_pad. */
  readonly takesShort?: boolean;
  /** Queues it has, each a net client on a wire of its own. Absent: one. */
  readonly queues?: number;
  /** The kernel can serve a device's rings for it: features it knows of those that virtio has, low and high word. */
  readonly vhost?: readonly [low: number, high: number];
}

export interface PacketCalls {
  /** Who a net client sends to; undefined: nobody. */
  readonly peer: NetPeer | undefined;
  /**
   * Bytes of memory for `sendPacket`, which has them on record: nothing may be decided by them before, for a rerun has
   * zeroes.
   */
  packetPayload(gpa: Gpa, length: number): Uint8Array;
  /**
   * Hand a packet to the peer, where it arrives when it is due: at once, if nothing is said, and the peer may answer
   * before this returns. False: it waits until the peer can take it. Who has `packetSent` is told then; of others'
   * only so many wait. queue: of a peer with several to which; else the first.
   */
  sendPacket(bytes: Uint8Array, due?: Ns, header?: Uint8Array, queue?: number): boolean;
  /** The same at one of the net clients of a device that is several. */
  sendAt(client: string, bytes: Uint8Array, due: Ns): void;
  /** Hand a packet that came from elsewhere to the peer, under the number it has: as `sendPacket`. */
  passPacket(packet: Packet): boolean;
  /** A part of a packet, or another way to say it, is a packet of its own from now on, and this device's. */
  newPacket(packet: Pick<Packet, 'bytes' | 'header'>): Packet;
  /** A packet goes into the interface behind this net client, where a bridge may take it. */
  intoKernel(packet: Packet): void;
  /** The frame that has waited longest in a queue of the interface behind this net client. */
  nextFrame(queue: number): Packet | undefined;
  /** How many wait there. */
  framesWaiting(queue: number): number;
  /** Tell the backend at the other end of the wire what its packets may leave to this device: TUN_F_*. */
  setOffloads(flags: number, headerBytes: number): void;
  /** The backend at the other end of the wire is to use so many of its queues, and no others. */
  attachQueues(queues: number): void;
  /** How long a packet of so many bytes takes over a link of the world, in virtual nanoseconds. */
  travel(length: number): Ns;
  /** The device takes packets again: what waits for it is offered to it. QEMU's qemu_flush_queued_packets. */
  takePackets(queue?: number): void;
  /**
   * What the device sent and still waits is offered to its peer once more, and gone if that does not take it:
   * `packetSent` is told of each. QEMU's qemu_flush_or_purge_queued_packets of the peer.
   */
  settlePackets(queue?: number): void;
  /** A packet that was offered is not for this device, or finds no place: it is gone. */
  dropPacket(packet: Packet, why: string): void;
}

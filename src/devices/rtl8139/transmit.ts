/** Frames that go. QEMU 7.2, hw/net/rtl8139.c: rtl8139_transmit_one, rtl8139_cplus_transmit. */
import { fromLatin1 } from '../../base/bytes.ts';
import type { Effects } from '../device.ts';
import {
  bufferAt,
  type Descriptor,
  descriptorOf,
  FIRST,
  LAST,
  MOST_PACKET,
  OWN,
  SEND,
  SEND_TAG,
  takenBytes,
  wordsOf,
} from './descriptors.ts';
import { addressIn, readMemory, RING, writeMemory } from './dma.ts';
import { driveInterrupt } from './interrupts.ts';
import { HEADERS, offload } from './offload.ts';
import { canReceive, receive } from './receive.ts';
import { CPCR, CR, DESCRIPTOR_BYTES, MOST_DESCRIPTORS, R, TCR, TSD } from './registers.ts';
import { registerOf, type Rtl8139State, TIMER } from './state.ts';

/** Frames at a time: a packet may be cut into tens of thousands. */
const MOST_AT_ONCE = 16_384;
const PAUSE_NS = 1000;

const transmits = (nic: Rtl8139State): boolean => (registerOf(nic, R.CR) & CR.transmits) !== 0;

const isLooping = (nic: Rtl8139State): boolean => (registerOf(nic, R.TCR) & TCR.loopback) === TCR.loopback;

/** What comes back is looked at, so that it has to be on record. */
const wayOf = (nic: Rtl8139State): 'dmaRead' | 'packetPayload' => (isLooping(nic) ? 'dmaRead' : 'packetPayload');

/** A slot of the C mode was given to the chip, which sends the one whose turn it is. */
export function sendSlot(nic: Rtl8139State, effects: Effects): void {
  const { slot } = nic;
  const status = registerOf(nic, R.TSD + 4 * slot);
  if (!transmits(nic) || (status & TSD.own) !== 0) return;
  const [gpa, len] = [registerOf(nic, R.TSAD + 4 * slot), status & TSD.size];
  const frame = readMemory(nic, effects, gpa, len, wayOf(nic));
  effects.raise({ kind: 'sim:rtl8139_tx_slot', dev: effects.name, slot, gpa, len });
  send(nic, frame, undefined, effects);
  effects.raise({ kind: 'sim:rtl8139_transmitted', dev: effects.name, left: 0 });
  driveInterrupt(nic, effects);
}

const ADDRESSES = 12;
const TAG_TYPE = 0x8100;
const TAG_BYTES = 4;
const LEAST = 60;

/** tag: two bytes as they are on the wire. */
function send(nic: Rtl8139State, frame: Uint8Array, tag: number | undefined, effects: Effects): void {
  if (frame.length === 0) return;
  const whole = tag === undefined || frame.length < ADDRESSES ? frame : tagged(frame, tag);
  // With a tag QEMU lets come back what is as long as it was without.
  if (isLooping(nic)) loop(nic, whole.subarray(0, frame.length), effects);
  else effects.sendPacket(whole);
}

function tagged(frame: Uint8Array, tag: number): Uint8Array {
  const out = new Uint8Array(frame.length + TAG_BYTES);
  out.set(frame.subarray(0, ADDRESSES));
  new DataView(out.buffer).setUint32(ADDRESSES, TAG_TYPE * 0x1_0000 + (((tag & 0xff) << 8) | (tag >>> 8)));
  out.set(frame.subarray(ADDRESSES), ADDRESSES + TAG_BYTES);
  return out;
}

/** qemu_receive_packet. */
function loop(nic: Rtl8139State, frame: Uint8Array, effects: Effects): void {
  const { peer } = effects;
  const fills = peer !== undefined && peer.takesShort !== true && frame.length < LEAST;
  const bytes = new Uint8Array(fills ? LEAST : frame.length);
  bytes.set(frame);
  effects.raise({ kind: 'sim:rtl8139_looped', dev: effects.name, bytes });
  if (canReceive(nic) && !nic.isUnplugged) receive(nic, bytes, effects, () => undefined);
}

/** A driver asks for descriptors to be looked at, or the work goes on that rests. most: how many of them. */
export function sendDescriptors(nic: Rtl8139State, effects: Effects, most = MOST_DESCRIPTORS): void {
  const assembly = new Assembly(nic, effects);
  let [done, frames] = [0, 0];
  while (done < most && frames < MOST_AT_ONCE) {
    const sent = sendOne(nic, assembly, effects);
    if (sent === undefined) break;
    done += 1;
    frames += sent;
  }
  if (done === 0) return;
  assembly.keep();
  const left = frames < MOST_AT_ONCE ? 0 : most - done;
  effects.raise({ kind: 'sim:rtl8139_transmitted', dev: effects.name, left });
  if (left > 0) effects.arm(TIMER.transmit, effects.now + PAUSE_NS);
  driveInterrupt(nic, effects);
}

/** How many frames the next descriptor sends. Undefined: there is none for the chip. */
function sendOne(nic: Rtl8139State, assembly: Assembly, effects: Effects): number | undefined {
  if (!transmits(nic) || (registerOf(nic, R.CPCR) & CPCR.transmits) === 0) return undefined;
  const index = nic.txDescriptor;
  const at = addressIn(nic, RING.sent) + DESCRIPTOR_BYTES * index;
  const descriptor = descriptorOf(readMemory(nic, effects, at, DESCRIPTOR_BYTES, 'dmaRead'));
  if ((descriptor.word0 & OWN) === 0) return undefined;
  assembly.append(descriptor);
  effects.raise({ kind: 'sim:rtl8139_tx_descriptor', dev: effects.name, index, ...descriptor });
  writeMemory(nic, effects, at, wordsOf((descriptor.word0 & ~(OWN | SEND.errors)) >>> 0));
  return (descriptor.word0 & LAST) === 0 ? 0 : assembly.send(descriptor);
}

/** Bytes of a packet, and where they came from: from memory, or they were kept. */
interface Piece {
  readonly gpa: number | undefined;
  readonly bytes: Uint8Array;
}

const lengthOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** A packet that is put together. */
class Assembly {
  readonly #nic: Rtl8139State;
  readonly #effects: Effects;
  #pieces: Piece[];

  constructor(nic: Rtl8139State, effects: Effects) {
    this.#nic = nic;
    this.#effects = effects;
    this.#pieces = [{ gpa: undefined, bytes: fromLatin1(nic.transmission.kept) }];
  }

  /** Before the descriptor is told. */
  append(descriptor: Descriptor): void {
    if ((descriptor.word0 & FIRST) !== 0) this.#pieces = [];
    const gpa = bufferAt(descriptor);
    const length = takenBytes(descriptor, lengthOf(this.#pieces));
    this.#pieces.push({ gpa, bytes: readMemory(this.#nic, this.#effects, gpa, length, wayOf(this.#nic)) });
  }

  /** It goes out: in how many frames. */
  send({ word0, word1 }: Descriptor): number {
    const packet = this.#joined();
    // Into how many frames it is cut must be on record.
    if ((word0 & SEND.large) !== 0) packet.set(this.#recorded(HEADERS));
    this.#pieces = [];
    const tag = (word1 & SEND_TAG) === 0 ? undefined : word1 & 0xffff;
    let frames = 0;
    offload(packet, word0, (frame) => {
      frames += 1;
      send(this.#nic, frame, tag, this.#effects);
    });
    return frames;
  }

  /** A packet the ring ends in is kept, with its bytes on record: nothing else brings them back. */
  keep(): void {
    const { size, kept } = this.#nic.transmission;
    if (size === 0 && kept === '') return;
    this.#effects.raise({ kind: 'sim:rtl8139_tx_kept', dev: this.#effects.name, bytes: this.#recorded(MOST_PACKET) });
  }

  #joined(): Uint8Array {
    const bytes = new Uint8Array(lengthOf(this.#pieces));
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece.bytes, at);
      at += piece.bytes.length;
    }
    return bytes;
  }

  /** The first of its bytes, read so that they go on record. */
  #recorded(most: number): Uint8Array {
    const first = new Uint8Array(Math.min(most, lengthOf(this.#pieces)));
    let at = 0;
    this.#effects.transaction(() => {
      for (const { gpa, bytes } of this.#pieces) {
        const length = Math.min(bytes.length, first.length - at);
        const some =
          gpa === undefined ? bytes.subarray(0, length) : readMemory(this.#nic, this.#effects, gpa, length, 'dmaRead');
        first.set(some, at);
        at += length;
      }
    });
    return first;
  }
}

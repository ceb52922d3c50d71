/** Frames that go. QEMU 7.2, hw/net/e1000.c: start_xmit, process_tx_desc, txdesc_writeback. */
import type { Effects } from '../device.ts';
import { doneWord, type TransmitDescriptor, transmitDescriptor } from './descriptors.ts';
import { readMemory, writeMemory } from './dma.ts';
import { driveInterrupt } from './interrupts.ts';
import { BMCR, PHY } from './phy.ts';
import { canReceive, receive } from './receive.ts';
import { DESCRIPTOR_BYTES, R } from './registers.ts';
import { isRound } from './rings.ts';
import { frameOf } from './segment.ts';
import { type E1000State, registerOf, ringBase, tagging, TIMER, type Transmission } from './state.ts';
import { type Steps, transmit } from './transmission.ts';

/** Descriptors and frames at a time: QEMU has no end of it, and a guest that wants that stops the machine. */
const MOST_AT_ONCE = 16_384;
const PAUSE_NS = 1000;

/** Where the last word of a descriptor is. */
const UPPER = 12;

/** Work that was begun, as far as it goes at once. */
export function transmitAll(state: E1000State, effects: Effects): void {
  const assembly = new Assembly(state, effects);
  for (let done = 0; registerOf(state, R.TDH) !== registerOf(state, R.TDT); ) {
    if (done >= MOST_AT_ONCE) {
      keep(state, assembly, effects);
      effects.arm(TIMER.transmit, effects.now + PAUSE_NS);
      return;
    }
    done += 1 + transmitOne(state, assembly, effects);
    if (isRound(state, R.TDLEN, registerOf(state, R.TDH), state.transmission.start)) break;
  }
  keep(state, assembly, effects);
  effects.raise({ kind: 'sim:e1000_transmitted', dev: effects.name });
  driveInterrupt(state, effects);
}

/** The descriptor at the head: how many frames it sent. */
function transmitOne(state: E1000State, assembly: Assembly, effects: Effects): number {
  const index = registerOf(state, R.TDH);
  const at = ringBase(state, R.TDBAL, R.TDBAH) + DESCRIPTOR_BYTES * index;
  const descriptor = transmitDescriptor(readMemory(state, effects, at, DESCRIPTOR_BYTES, 'dmaRead'));
  const before: Transmission = { ...state.transmission };
  const tags = tagging(state);
  effects.raise({ kind: 'sim:e1000_tx_descriptor', dev: effects.name, index, ...descriptor });
  const sent = assembly.work(before, descriptor, tags);
  const done = doneWord(descriptor);
  if (done !== undefined) writeMemory(state, effects, at + UPPER, done);
  return sent;
}

/** A packet the ring ends in is kept, with its bytes on record: nothing else brings them back. */
function keep({ transmission: { size, kept } }: E1000State, assembly: Assembly, effects: Effects): void {
  if (size === 0 && kept === '') return;
  effects.raise({ kind: 'sim:e1000_tx_kept', dev: effects.name, bytes: assembly.recorded() });
}

const isLooping = ({ phy }: E1000State): boolean => (phy[PHY.control]! & BMCR.loopback) !== 0;

/** Bytes of a packet, and where they came from: from memory, or they were kept. */
interface Piece {
  readonly gpa: number | undefined;
  readonly bytes: Uint8Array;
}

const lengthOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);

function joined(pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece.bytes, at);
    at += piece.bytes.length;
  }
  return bytes;
}

/** The first bytes of pieces. */
function firstOf(pieces: readonly Piece[], length: number): Piece[] {
  const first: Piece[] = [];
  for (const { gpa, bytes } of pieces) {
    const left = length - lengthOf(first);
    if (left > 0) first.push({ gpa, bytes: bytes.subarray(0, left) });
  }
  return first;
}

/** A packet that is put together, and what goes out of it. */
class Assembly {
  readonly #state: E1000State;
  readonly #effects: Effects;
  #pieces: Piece[];
  #header: Piece[];

  constructor(state: E1000State, effects: Effects) {
    this.#state = state;
    this.#effects = effects;
    const bytes = Uint8Array.from(state.transmission.kept, (character) => character.charCodeAt(0));
    this.#pieces = bytes.length === 0 ? [] : [{ gpa: undefined, bytes }];
    this.#header = this.#pieces;
  }

  /** A descriptor's work on a packet as it was: how many frames went out. */
  work(before: Transmission, descriptor: TransmitDescriptor, tags: ReturnType<typeof tagging>): number {
    const packet = { ...before };
    let sent = 0;
    const steps: Steps = {
      read: (gpa, length) => void this.#pieces.push({ gpa, bytes: this.#read(gpa, length) }),
      header: (length) => void (this.#header = firstOf(this.#pieces, length)),
      next: (length) => void (this.#pieces = firstOf(this.#header, length)),
      clear: () => void (this.#pieces = []),
      send: () => {
        sent += 1;
        this.#send(frameOf(packet, joined(this.#pieces).subarray(0, packet.size)));
      },
    };
    transmit(packet, descriptor, tags, steps);
    return sent;
  }

  /** Its bytes, read so that they go on record. */
  recorded(): Uint8Array {
    return this.#effects.transaction(() =>
      joined(
        this.#pieces.map(({ gpa, bytes }) => ({
          gpa,
          bytes: gpa === undefined ? bytes : readMemory(this.#state, this.#effects, gpa, bytes.length, 'dmaRead'),
        })),
      ),
    );
  }

  #read(gpa: number, length: number): Uint8Array {
    // What comes back is looked at, so that it has to be on record.
    const way = isLooping(this.#state) ? 'dmaRead' : 'packetPayload';
    return readMemory(this.#state, this.#effects, gpa, length, way);
  }

  #send(frame: Uint8Array): void {
    if (isLooping(this.#state)) this.#loop(frame);
    else this.#effects.sendPacket(frame);
  }

  #loop(frame: Uint8Array): void {
    this.#effects.raise({ kind: 'sim:e1000_looped', dev: this.#effects.name, bytes: frame });
    if (canReceive(this.#state) && !this.#state.isUnplugged) receive(this.#state, frame, this.#effects);
  }
}

/** Files of captured packets: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), as they are read. */
import { Problem } from '../base/problem.ts';
import { BLOCK, BYTE_ORDER, ETHERNET, PCAP_MAGIC, TIME_RESOLUTION } from './capture-format.ts';

/** A frame of a capture, and when it was seen: nanoseconds since some moment that is the same for all. */
export interface CapturedFrame {
  readonly ns: number;
  readonly bytes: Uint8Array;
}

/** Magic numbers of pcap, read little-endian: nanoseconds of a unit of its second word of time. */
const PCAP_MAGICS: ReadonlyMap<number, { readonly little: boolean; readonly unit: number }> = new Map([
  [PCAP_MAGIC.microseconds, { little: true, unit: 1000 }],
  [0xd4c3_b2a1, { little: false, unit: 1000 }],
  [PCAP_MAGIC.nanoseconds, { little: true, unit: 1 }],
  [0x4d3c_b2a1, { little: false, unit: 1 }],
]);

/**
 * The frames of a capture, in the order of the file. `name`: what to call the file. Throws a Problem for one that is
 * none, that was cut, or whose packets are not Ethernet's.
 */
export function readCapture(name: string, bytes: Uint8Array): CapturedFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = bytes.length < 4 ? undefined : view.getUint32(0, true);
  const pcap = magic === undefined ? undefined : PCAP_MAGICS.get(magic);
  const reader = new Reader(name, view);
  if (pcap !== undefined) return readPcap(reader, pcap);
  if (magic === BLOCK.sectionHeader) return readPcapng(reader);
  throw new Problem(`Cannot play ${name}: it is no capture in pcap or pcapng.`);
}

/** Words of a file, which may end too early. */
class Reader {
  readonly name: string;
  readonly view: DataView;
  at = 0;
  little = true;

  constructor(name: string, view: DataView) {
    this.name = name;
    this.view = view;
  }

  get isOver(): boolean {
    return this.at === this.view.byteLength;
  }

  word(): number {
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, this.little);
  }

  half(): number {
    this.need(2);
    this.at += 2;
    return this.view.getUint16(this.at - 2, this.little);
  }

  take(length: number): Uint8Array {
    this.need(length);
    this.at += length;
    return new Uint8Array(this.view.buffer, this.view.byteOffset + this.at - length, length);
  }

  need(length: number): void {
    if (length <= this.view.byteLength - this.at) return;
    throw new Problem(
      `Cannot play ${this.name}: it is cut at byte ${this.view.byteLength}, in the middle of a packet.`,
    );
  }

  wrong(what: string, at: number): never {
    throw new Problem(`Cannot play ${this.name}: ${what} at byte ${at}.`);
  }
}

function checkLinkType(reader: Reader, type: number): void {
  if (type === ETHERNET) return;
  throw new Problem(`Cannot play ${reader.name}: its packets are of link type ${type}, not of Ethernet (1).`);
}

const PCAP_HEADER_REST = 12;
const NS_PER_SECOND = 1_000_000_000;

function readPcap(reader: Reader, { little, unit }: { readonly little: boolean; readonly unit: number }) {
  reader.little = little;
  reader.at = 4;
  const frames: CapturedFrame[] = [];
  // Version, time zone and accuracy, which nobody sets, and the longest packet.
  reader.take(PCAP_HEADER_REST);
  reader.word();
  // Its upper bits say how long check sequences are.
  checkLinkType(reader, reader.word() & 0xffff);
  while (!reader.isOver) {
    const seconds = reader.word();
    const fraction = reader.word();
    const kept = reader.word();
    reader.word();
    frames.push({ ns: seconds * NS_PER_SECOND + fraction * unit, bytes: reader.take(kept) });
  }
  return frames;
}

/** What `if_tsresol` says where it is absent: microseconds. */
const USUAL_RESOLUTION = 6;

/** An interface's unit of time, in nanoseconds. */
type Units = number[];

function readPcapng(reader: Reader): CapturedFrame[] {
  const frames: CapturedFrame[] = [];
  let units: Units = [];
  while (!reader.isOver) {
    const start = reader.at;
    const type = reader.word();
    if (type === BLOCK.sectionHeader) {
      setByteOrder(reader);
      units = [];
    }
    const length = reader.word();
    if (length < 12 || length % 4 !== 0) reader.wrong(`a block of ${length} bytes is none`, start);
    reader.need(length - 8);
    if (type === BLOCK.interface) units.push(readInterface(reader, start + length - 4));
    if (type === BLOCK.enhancedPacket) frames.push(readPacket(reader, units, start));
    if (type === BLOCK.simplePacket) reader.wrong('a packet without a time', start);
    reader.at = start + length;
  }
  return frames;
}

function setByteOrder(reader: Reader): void {
  const place = reader.at;
  reader.at = place + 4;
  reader.little = true;
  reader.little = reader.word() === BYTE_ORDER;
  reader.at = place;
}

function readInterface(reader: Reader, end: number): number {
  checkLinkType(reader, reader.half());
  reader.half();
  reader.word();
  while (reader.at + 4 <= end) {
    const option = reader.half();
    const length = reader.half();
    if (option === 0) break;
    const value = reader.take(length);
    reader.take((4 - (length % 4)) % 4);
    if (option === TIME_RESOLUTION && length === 1) return unitOf(value[0]!);
  }
  return unitOf(USUAL_RESOLUTION);
}

/** Nanoseconds of 10^-n or, with the highest bit, 2^-n seconds. */
const unitOf = (resolution: number): number =>
  NS_PER_SECOND * (resolution > 0x7f ? 2 ** -(resolution & 0x7f) : 10 ** -resolution);

function readPacket(reader: Reader, units: Units, start: number): CapturedFrame {
  const unit = units[reader.word()];
  if (unit === undefined) reader.wrong('a packet of an interface there is not', start);
  const high = reader.word();
  const low = reader.word();
  const kept = reader.word();
  reader.word();
  return { ns: Math.floor((high * 2 ** 32 + low) * unit), bytes: reader.take(kept) };
}

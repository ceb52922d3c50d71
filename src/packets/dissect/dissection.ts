import { EITHER_FIELDS, type PacketField, PROTOCOLS } from './fields-table.ts';

/** What a field of a packet comes to. */
export type PacketValue = number | string;

/** A packet that cannot be read further. `dissect` alone catches it. */
export class Spoilt extends Error {}

const NONE: readonly PacketValue[] = [];

/** What a packet is made of, as far as it can be read. */
export class Dissection {
  /** Its protocols by Wireshark's names, outermost first. */
  readonly protocols: string[] = [];
  /** What it has of each field, in its order: an ICMP error has the addresses of two headers. */
  readonly fields = new Map<PacketField, PacketValue[]>();
  /** Options of TCP as tcpdump prints them. */
  readonly options: string[] = [];
  /** Why it could not be read further, as a clause. */
  fault: string | undefined;

  /** A header is there. */
  enter(protocol: string): void {
    this.protocols.push(protocol);
  }

  add(name: PacketField, value: PacketValue): void {
    const values = this.fields.get(name);
    if (values === undefined) this.fields.set(name, [value]);
    else values.push(value);
  }

  /** Something is wrong with it, and it is read on. The first fault is the one that is told. */
  note(protocol: string, why: string): void {
    this.fault ??= `${protocol}: ${why}`;
  }

  /** It ends, or contradicts itself, within a protocol, so that nobody can read on. */
  spoilt(protocol: string, why: string): never {
    this.note(protocol, why);
    throw new Spoilt(why);
  }

  /** The first value of a field. */
  one(name: PacketField): PacketValue | undefined {
    return this.fields.get(name)?.[0];
  }

  /** What a name of `PACKET_NAMES` means of it; nothing: it has no such field. */
  valuesOf(name: string): readonly PacketValue[] {
    const either = Object.hasOwn(EITHER_FIELDS, name) ? EITHER_FIELDS[name] : undefined;
    if (either !== undefined) return either.flatMap((each) => this.fields.get(each) ?? []);
    if ((PROTOCOLS as readonly string[]).includes(name)) return [this.protocols.includes(name) ? 1 : 0];
    return this.fields.get(name as PacketField) ?? NONE;
  }
}

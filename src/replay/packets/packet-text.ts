/** Packets for people and for programs. */
import { onOneLine } from '../../base/printable.ts';
import type { Ns } from '../../base/units.ts';
import { summary } from '../../packets/dissect/summary.ts';
import type { PacketTold } from './packet-reader.ts';

/** Characters of a line at most, wherever it goes: a URI may be as long as a packet. */
const LONGEST = 1000;

/** Virtual time in seconds, to the nanosecond. */
export const preciseSeconds = (ns: Ns): string =>
  `${Math.floor(ns / 1e9)}.${String(Math.floor(ns % 1e9)).padStart(9, '0')}`;

/** One packet: its number, virtual time, event, who sent it to whom, what it is. `why packet:N` asks about it. */
export function packetLine(told: PacketTold): string {
  const { stamped, ns, peers, dissected } = told;
  const { client, packet } = stamped.event;
  const who = `${client} > ${peers.length === 0 ? 'nobody' : peers.join('+')}`;
  const place = `${String(packet).padStart(5)} ${preciseSeconds(ns).padStart(14)} ${`#${stamped.seq}`.padEnd(8)}`;
  const line = onOneLine(`${place} ${who}: ${summary(dissected)}`);
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}...`;
}

/** The same as one line of JSON: fields by Wireshark's names, several values of one as a list. */
export function packetJson(told: PacketTold): string {
  const { stamped, ns, peers, dissected } = told;
  const { client, packet } = stamped.event;
  const fields = [...dissected.fields].map(([name, values]) => [name, values.length > 1 ? values : values[0]]);
  return JSON.stringify({
    ...{ packet, seq: stamped.seq, tick: stamped.tick, ns, client, peer: peers, protocols: dissected.protocols },
    ...(dissected.fault === undefined ? {} : { fault: dissected.fault }),
    ...Object.fromEntries(fields),
  });
}

const WIDTH = 16;

/** Bytes as tcpdump -XX shows them: sixteen a line, as digits and as characters. */
export function hexDump(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += WIDTH) {
    const row = bytes.subarray(at, at + WIDTH);
    const digits = Array.from(row, (byte, place) => byte.toString(16).padStart(2, '0') + (place % 2 === 1 ? ' ' : ''));
    const characters = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    lines.push(`\t0x${at.toString(16).padStart(4, '0')}:  ${digits.join('').padEnd(41)}${characters.join('')}`);
  }
  return lines;
}

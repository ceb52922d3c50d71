import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { EITHER_FIELDS, OWN_FIELDS } from '../../../src/packets/dissect/fields-table.ts';
import { PLAIN_LANGUAGE } from '../../stepping-aside.ts';

/** A capture of these frames, as libpcap writes it: a second for each. */
export function pcapOf(frames: readonly Uint8Array[]): Uint8Array {
  const pieces = [Buffer.alloc(24)];
  pieces[0]!.writeUInt32LE(0xa1b2c3d4, 0);
  pieces[0]!.writeUInt16LE(2, 4);
  pieces[0]!.writeUInt16LE(4, 6);
  pieces[0]!.writeUInt32LE(1 << 18, 16);
  pieces[0]!.writeUInt32LE(1, 20);
  for (const [at, frame] of frames.entries()) {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(at, 0);
    head.writeUInt32LE(frame.length, 8);
    head.writeUInt32LE(frame.length, 12);
    pieces.push(head, Buffer.from(frame));
  }
  return Buffer.concat(pieces);
}

/** Every field that Wireshark has, too. */
export const FIELDS: readonly string[] = [
  ...Object.keys(OWN_FIELDS),
  ...Object.keys(EITHER_FIELDS).filter((name) => !/[sd]port$/.test(name)),
];

/** One packet at a time: nothing is put together. */
const ALONE = ['ip.defragment:FALSE', 'ipv6.defragment:FALSE', 'tcp.desegment_tcp_streams:FALSE'];

const tshark = (args: readonly string[]): string =>
  execFileSync('tshark', args, { encoding: 'utf8', maxBuffer: 1 << 28, env: PLAIN_LANGUAGE, stdio: 'pipe' });

/** What tshark makes of some fields of these frames: by frame, each field's values. */
export function tsharkFields(frames: readonly Uint8Array[], names: readonly string[], file: string): string[][][] {
  writeFileSync(file, pcapOf(frames));
  const asked = names.flatMap((name) => ['-e', name]);
  const form = ['-T', 'fields', '-E', 'separator=/t', '-E', 'aggregator=|'];
  const text = tshark(['-r', file, ...ALONE.flatMap((option) => ['-o', option]), ...form, ...asked]);
  return text
    .split('\n')
    .slice(0, frames.length)
    .map((line) => names.map((_, at) => valuesIn(line.split('\t')[at] ?? '')));
}

const valuesIn = (cell: string): string[] => (cell === '' ? [] : cell.split('|').map(plain));

/** Numbers in one notation. */
export const plain = (value: string | number): string =>
  /^(0x[0-9a-f]+|\d+)$/i.test(`${value}`) ? String(Number(value)) : `${value}`;

/** Conversations of a guest with a host, as text: what libslirp said in them is in `captured/slirp.txt`. */
import { latin1 } from '../../src/base/bytes.ts';
import { ipv4Of } from '../../src/packets/addresses.ts';
import { IP_PROTOCOLS, type Ipv4Packet } from '../../src/packets/ipv4.ts';
import { NOTHING } from '../../src/packets/layout.ts';
import { buildTcp, mssOf, mssOption, type ParsedTcp, TCP_FLAGS } from '../../src/packets/tcp.ts';

export const GUEST = ipv4Of('10.0.2.15')!;
export const HOST = ipv4Of('10.0.2.100')!;

/** Sequence numbers in text count from the first of each side. */
const GUEST_FIRST = 0xffff_f000;

/** A conversation under way. */
export interface Talk {
  hostFirst: number | undefined;
  port: number;
}

let talks = 0;

export const newTalk = (): Talk => ({ hostFirst: undefined, port: 40_000 + ++talks });

const LETTERS: Readonly<Record<string, number>> = {
  ...{ F: TCP_FLAGS.FIN, S: TCP_FLAGS.SYN, R: TCP_FLAGS.RST, P: TCP_FLAGS.PSH, '.': TCP_FLAGS.ACK },
};

const numberIn = (move: string, name: string): number | undefined => {
  const found = new RegExp(`\\b${name} (-?\\d+)`).exec(move)?.[1];
  return found === undefined ? undefined : Number(found);
};

/** What is said at an offset of the guest's stream. */
const said = (offset: number): number => 97 + (((offset % 26) + 26) % 26);

/** `S. seq 0 ack 1 win 64240 len 10 mss 1460`: a segment of the guest's. */
export function guestSegment(talk: Talk, port: number, move: string, destination = HOST): Uint8Array {
  const seq = numberIn(move, 'seq') ?? 0;
  const ack = numberIn(move, 'ack');
  const mss = numberIn(move, 'mss');
  const flags = [...move.split(' ')[0]!].reduce((sum, letter) => sum | LETTERS[letter]!, 0);
  return buildTcp(
    {
      ...{ sourcePort: talk.port, destinationPort: port, flags, urgent: 0, window: numberIn(move, 'win') ?? 64_240 },
      sequence: (GUEST_FIRST + seq) >>> 0,
      acknowledgment: ack === undefined ? 0 : ((talk.hostFirst ?? 0) + ack) >>> 0,
      options: mss === undefined ? NOTHING : mssOption(mss),
      payload: Uint8Array.from({ length: numberIn(move, 'len') ?? 0 }, (_, at) => said(seq + at)),
    },
    { source: GUEST, destination, protocol: IP_PROTOCOLS.TCP },
  );
}

/** The host's answer, as a line. */
export function hostLine(talk: Talk, ip: Pick<Ipv4Packet, 'tos' | 'ttl'>, segment: ParsedTcp): string {
  const { sequence, acknowledgment, flags, window, payload, options } = segment;
  if ((flags & TCP_FLAGS.SYN) !== 0) talk.hostFirst = sequence;
  const letters = Object.entries(LETTERS).filter(([, bit]) => (flags & bit) !== 0);
  const isReset = (flags & TCP_FLAGS.RST) !== 0 && talk.hostFirst === undefined;
  const seq = isReset ? sequence : (sequence - (talk.hostFirst ?? 0)) | 0;
  const ack = (flags & TCP_FLAGS.ACK) === 0 ? '' : ` ack ${(acknowledgment - GUEST_FIRST) | 0}`;
  const mss = options.length === 0 ? '' : ` mss ${mssOf(options)}`;
  const text = payload.length === 0 ? '' : ` "${latin1(payload.subarray(0, 12)).trimEnd()}"`;
  const name = letters.map(([letter]) => letter).join('');
  return `< ${name} seq ${seq}${ack} win ${window} len ${payload.length}${mss}${text} tos ${ip.tos} ttl ${ip.ttl}`;
}

interface Conversation {
  readonly name: string;
  readonly port: number;
  readonly moves: readonly string[];
}

const OPEN = ['S seq 0 mss 1460', '. seq 1 ack 1'];

export const CONVERSATIONS: readonly Conversation[] = [
  { name: 'nobody listens', port: 4, moves: ['S seq 0 mss 1460', '. seq 5 ack 7', 'R seq 5', 'F. seq 9 ack 9 len 3'] },
  {
    name: 'echo, the guest ends',
    port: 7,
    moves: [...OPEN, 'P. seq 1 ack 1 len 10', '. seq 11 ack 11', 'F. seq 11 ack 11', '. seq 12 ack 12'],
  },
  {
    name: 'the host ends',
    port: 13,
    moves: [...OPEN, '. seq 1 ack 12', '. seq 1 ack 13', 'F. seq 1 ack 13', 'F. seq 1 ack 13'],
  },
  { name: 'no MSS', port: 9, moves: ['S seq 0', '. seq 1 ack 1', 'F. seq 1 ack 1', '. seq 2 ack 2'] },
  {
    name: 'small MSS, echoed in pieces',
    port: 7,
    moves: [
      'S seq 0 mss 100',
      '. seq 1 ack 1',
      'P. seq 1 ack 1 len 450',
      '. seq 451 ack 201',
      '. seq 451 ack 451',
      'R seq 451',
    ],
  },
  { name: 'SYN said twice', port: 9, moves: ['S seq 0 mss 1460', 'S seq 0 mss 1460', '. seq 1 ack 1', 'R seq 1'] },
  { name: 'reset', port: 9, moves: [...OPEN, 'P. seq 1 ack 1 len 5', 'R. seq 6 ack 1', 'P. seq 6 ack 1 len 5'] },
  {
    name: 'a hole, filled',
    port: 9,
    moves: [
      ...OPEN,
      '. seq 11 ack 1 len 10',
      '. seq 31 ack 1 len 10',
      '. seq 1 ack 1 len 10',
      '. seq 21 ack 1 len 10',
      'F. seq 41 ack 1',
      '. seq 42 ack 2',
    ],
  },
  {
    name: 'holes whose edges overlap',
    port: 7,
    moves: [
      ...OPEN,
      ...['. seq 11 ack 1 len 10', '. seq 16 ack 1 len 10', '. seq 13 ack 1 len 4', '. seq 8 ack 1 len 30'],
      ...['. seq 1 ack 1 len 12', '. seq 38 ack 38', 'R seq 38'],
    ],
  },
  {
    name: 'FIN before what it ends',
    port: 9,
    moves: [...OPEN, 'F. seq 11 ack 1', '. seq 1 ack 1 len 10', '. seq 12 ack 2'],
  },
  {
    name: 'said again, and more',
    port: 7,
    moves: [
      ...OPEN,
      '. seq 1 ack 1 len 10',
      '. seq 1 ack 11 len 10',
      '. seq 5 ack 11 len 10',
      '. seq 15 ack 15',
      'R seq 15',
    ],
  },
  {
    name: 'behind the window',
    port: 9,
    moves: [...OPEN, '. seq 70000 ack 1 len 10', '. seq -10 ack 1 len 5', '. seq 0 ack 1', '. seq 1 ack 5', 'R seq 1'],
  },
  { name: 'a SYN amid it', port: 9, moves: [...OPEN, 'S seq 100 ack 1', '. seq 1 ack 1'] },
  {
    name: 'wrong acknowledgment of the SYN',
    port: 9,
    moves: ['S seq 0 mss 1460', '. seq 1 ack 9', '. seq 1 ack 1', 'R seq 1'],
  },
  {
    name: 'no window',
    port: 7,
    moves: [
      ...OPEN,
      '. seq 1 ack 1 len 10',
      '. seq 11 ack 1 win 0',
      '. seq 11 ack 1 win 100',
      '. seq 11 ack 11 win 100',
      'R seq 11',
    ],
  },
  {
    name: 'three acknowledgments alike',
    port: 7,
    moves: [
      'S seq 0 mss 100',
      '. seq 1 ack 1',
      '. seq 1 ack 1 len 100',
      '. seq 101 ack 101 len 200',
      '. seq 301 ack 301 len 400',
      '. seq 701 ack 301',
      '. seq 701 ack 301',
      '. seq 701 ack 301',
      '. seq 701 ack 701',
      'R seq 701',
    ],
  },
  {
    name: 'acknowledged late',
    port: 9,
    moves: [...OPEN, '. seq 1 ack 1 win 60000 len 10', 'wait 100', 'P. seq 11 ack 1 win 60000 len 10', 'R seq 21'],
  },
  {
    name: 'TIME_WAIT, and a new one',
    port: 13,
    moves: [...OPEN, '. seq 1 ack 13', 'F. seq 1 ack 13', 'S seq 1000 mss 1460', 'R seq 1001'],
  },
  { name: 'both end at once', port: 13, moves: [...OPEN, 'F. seq 1 ack 1', '. seq 2 ack 13', '. seq 2 ack 13'] },
  {
    name: 'a window that closes',
    port: 7,
    moves: [
      'S seq 0 mss 100',
      '. seq 1 ack 1',
      '. seq 1 ack 1 len 600',
      '. seq 601 ack 251 win 0',
      'wait 6000',
      '. seq 601 ack 251 win 0',
      '. seq 601 ack 251 win 1000',
      '. seq 601 ack 601',
      'R seq 601',
    ],
  },
  { name: 'no answer', port: 7, moves: [...OPEN, '. seq 1 ack 1 len 10', 'wait 8000', '. seq 11 ack 11', 'R seq 11'] },
  {
    name: 'data with the SYN',
    port: 7,
    moves: ['S seq 0 mss 1460 len 10', '. seq 11 ack 1', '. seq 1 ack 1 len 10', '. seq 11 ack 11', 'R seq 11'],
  },
];

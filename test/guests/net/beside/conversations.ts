/** Frames of two captures of one script, conversation by conversation, and what of them cannot be the same. */
import { createHash } from 'node:crypto';
import { type Exception, type Frame, numberOf, show, text } from './frames.ts';

export const GUEST = '52:54:00:12:34:56';

export const isGuests = (frame: Frame): boolean => show(frame, 'eth.src') === GUEST;
const isHosts = (frame: Frame): boolean => !isGuests(frame);
const has =
  (field: string) =>
  (frame: Frame): boolean =>
    show(frame, field) !== undefined;
const shown =
  (field: string) =>
  (frame: Frame): string =>
    show(frame, field) ?? '';

export const hasData = (frame: Frame): boolean => numberOf(frame, 'tcp.len') > 0;

export const idOf = (frame: Frame): number => numberOf(frame, 'ip.id');

/** Checksums are of what else is set aside, too: that they are right is compared in their place. */
const sum = (protocol: string, of: (frame: Frame) => boolean = () => true): Exception => ({
  ...{ field: `${protocol}.checksum`, why: 'of a field that is set aside', of },
  instead: shown(`${protocol}.checksum.status`),
});

const ACK = '0x0010';

const isBareAcknowledgment = (frame: Frame): boolean => !hasData(frame) && show(frame, 'tcp.flags') === ACK;

const PING = (frame: Frame): boolean => has('icmp.ident')(frame) || has('icmpv6.echo.identifier')(frame);

/** By field of tshark's. */
export const EXCEPTIONS: readonly Exception[] = [
  { field: 'dhcp.id', why: 'drawn by a client for each lease' },
  { field: 'dhcp.secs', why: 'how long a client has been asking' },
  { field: 'ip.id', why: "counts all the host's packets, which the test looks at by themselves", of: isHosts },
  {
    ...{ field: 'ip.id', why: 'of a connection Linux draws the first; from there it counts' },
    of: (frame) => isGuests(frame) && has('tcp.stream')(frame) && !isBareAcknowledgment(frame),
    instead: (frame, first) => `${(idOf(frame) - idOf(first)) & 0xffff}`,
  },
  { field: 'ip.id', why: 'drawn by Linux; or zero once an application has left its connection', of: isGuests },
  sum('ip'),
  { field: 'icmp.ident', why: "a process's number" },
  { field: 'icmpv6.echo.identifier', why: "a process's number" },
  { field: 'data', why: "ping's time, in microseconds", of: PING, most: 4 },
  { field: 'data.data', why: "ping's time, in microseconds", of: PING, most: 4 },
  sum('icmp'),
  sum('icmpv6', (frame) => has('icmpv6.echo.identifier')(frame) || has('icmpv6.opt.nonce')(frame)),
  { field: 'icmpv6.opt.nonce', why: 'drawn for each question whether an address is free (RFC 7527)' },
  { field: 'ipv6.flow', why: "a hash of the guest's, with a key it draws", of: isGuests },
  { field: 'ipv6.fraghdr.ident', why: 'drawn by Linux' },
  { field: 'udp.srcport', why: 'drawn by Linux', of: isGuests },
  { field: 'udp.dstport', why: 'drawn by Linux', of: isHosts },
  sum('udp'),
  { field: 'dns.id', why: 'drawn for each question' },
  { field: 'tcp.srcport', why: 'drawn by Linux', of: isGuests },
  { field: 'tcp.dstport', why: 'drawn by Linux', of: isHosts },
  { field: 'tcp.seq_raw', why: 'both draw the first, or take it from the time', instead: shown('tcp.seq') },
  { field: 'tcp.ack_raw', why: 'both draw the first, or take it from the time', instead: shown('tcp.ack') },
  { field: 'tcp.options.timestamp.tsval', why: 'a clock Linux begins at chance' },
  {
    ...{ field: 'tcp.window_size_value', why: 'how much the application has read by then' },
    of: (frame) => isGuests(frame) && numberOf(frame, 'tcp.flags.syn') !== 1,
  },
  sum('tcp'),
];

/** Of many bytes, how they are cut and acknowledged hangs on time: what else their frames say is compared. */
const OF_BULK: readonly Exception[] = [
  ...['tcp.seq_raw', 'tcp.ack_raw', 'tcp.window_size_value', 'ip.len', 'ip.id', 'tcp.payload'],
  ...['tcp.flags.push', 'tcp.flags'],
].map((field) => ({ field, why: 'how many segments there are' }));

/** A conversation's frames in their order. */
export interface Conversation {
  readonly name: string;
  readonly frames: readonly Frame[];
}

const ECHOES = [128, 129];

/** What a frame belongs to: connections by their order, datagrams by the host's port. */
function nameOf(frame: Frame): string {
  const stream = show(frame, 'tcp.stream');
  if (stream !== undefined) return `connection ${stream}`;
  if (has('dhcp.id')(frame)) return 'dhcp';
  if (has('arp.opcode')(frame)) return 'arp';
  const port = show(frame, isGuests(frame) ? 'udp.dstport' : 'udp.srcport');
  if (port !== undefined) return `datagrams of ${port}`;
  if (show(frame, 'ip.proto') === '1') return 'ping';
  const isEcho = has('ipv6.fraghdr.ident')(frame) || ECHOES.includes(numberOf(frame, 'icmpv6.type'));
  return isEcho ? 'ping of IPv6' : NEIGHBOURS;
}

const NEIGHBOURS = 'neighbours';

export function conversations(frames: readonly Frame[]): Conversation[] {
  const found = new Map<string, Frame[]>();
  for (const frame of frames) {
    const name = nameOf(frame);
    found.set(name, [...(found.get(name) ?? []), frame]);
  }
  return [...found].map(([name, of]) => ({ name, frames: of }));
}

const BULK = 64 << 10;

/** What frames of TCP say, in their order. */
export const payload = (frames: readonly Frame[]): Buffer =>
  Buffer.concat(
    frames.map(({ bytes, fields }) => {
      const { at = 0, length = 0 } = fields.find(({ name }) => name === 'tcp.payload') ?? {};
      return bytes.subarray(at, at + length);
    }),
  );

const isBulk = ({ frames }: Conversation): boolean => payload(frames).length > BULK;

const from = (frame: Frame): string => (isGuests(frame) ? '>' : '<');

/** Frames as they are compared. */
function linesOf(conversation: Conversation): string[] {
  const { frames, name } = conversation;
  const firsts = [frames.find(isGuests), frames.find(isHosts)] as const;
  const firstOf = (frame: Frame): Frame => firsts[isGuests(frame) ? 0 : 1] ?? frame;
  if (isBulk(conversation)) return linesOfBulk(frames, firstOf);
  const lines = frames.map((frame) => `${from(frame)} ${text(frame, EXCEPTIONS, firstOf(frame))}`);
  return name === NEIGHBOURS ? sorted(frames, lines) : lines;
}

/** Solicitations of routers, and advertisements. RFC 4861, 4. */
const ROUTERS = [133, 134];

/**
 * Linux asks for neighbours, groups and routers after waits by chance, and once more for a router whose answer comes
 * before it has noted that it asked: those are compared once.
 */
function sorted(frames: readonly Frame[], lines: readonly string[]): string[] {
  const isOfRouters = (index: number): boolean => ROUTERS.includes(numberOf(frames[index]!, 'icmpv6.type'));
  return lines.filter((line, index) => !isOfRouters(index) || lines.indexOf(line) === index).sort();
}

/** Of a hundred segments of the host's so many may be cut short: where what its program has handed on by then ends. */
const CUT_SHORT = 5;

/** Each kind of frame once, and what all have said; the host's segments are as long on both, but where it waits. */
function linesOfBulk(frames: readonly Frame[], firstOf: (frame: Frame) => Frame): string[] {
  const exceptions = [...OF_BULK, ...EXCEPTIONS];
  const kinds = new Set(frames.map((frame) => `${from(frame)} ${text(frame, exceptions, firstOf(frame))}`));
  const [guests, hosts] = [frames.filter(isGuests), frames.filter(isHosts)];
  const lengths = hosts.filter(hasData).map((frame) => numberOf(frame, 'tcp.len'));
  const longest = Math.max(0, ...lengths);
  const short = lengths.filter((length) => length < longest).length;
  const said = [guests, hosts].map((some) => createHash('sha256').update(payload(some)).digest('hex'));
  const answered = new Set(hosts.map((frame) => numberOf(frame, 'tcp.ack')));
  const ends = guests.filter(hasData).map((frame) => numberOf(frame, 'tcp.seq') + numberOf(frame, 'tcp.len'));
  const unanswered = ends.filter((end) => !answered.has(end)).length;
  return [
    ...[...kinds].sort(),
    ...said,
    `segments of ${longest}, few of them shorter: ${short <= 1 + (lengths.length * CUT_SHORT) / 100}`,
    `${unanswered} segments that are not acknowledged each`,
  ];
}

/** How the conversations of two captures differ: the first lines of each that does; none: they are the same. */
export function differences(ours: readonly Frame[], theirs: readonly Frame[]): string[] {
  const [mine, other] = [conversations(ours), conversations(theirs)];
  const names = [mine, other].map((all) => all.map(({ name }) => name).join());
  if (names[0] !== names[1]) return [`ours ${names[0]}`, `theirs ${names[1]}`];
  return mine.flatMap((conversation, index) => {
    const [one, two] = [linesOf(conversation), linesOf(other[index]!)];
    const at = Array.from({ length: Math.max(one.length, two.length) }, (_, line) => line);
    const first = at.find((line) => one[line] !== two[line]);
    if (first === undefined) return [];
    return [`${conversation.name}, line ${first} of ${one.length} and ${two.length}`, `${one[first]}`, `${two[first]}`];
  });
}

/** Numbers of the host's datagrams of IPv4 in their order, each once: parts of one have the same. */
export const hostsIds = (frames: readonly Frame[]): number[] =>
  frames
    .filter((frame) => isHosts(frame) && has('ip.id')(frame))
    .map(idOf)
    .filter((id, index, ids) => id !== ids[index - 1]);

/**
 * Frames of the guest's of which its driver does not know. Where a card segments and the last segment is full, it sends
 * the header once more, alone (QEMU 7.2, hw/net/e1000.c: process_tx_desc), with a number that Linux gives to its next.
 */
export function headersAlone(frames: readonly Frame[]): Frame[] {
  const byConnection = conversations(frames).filter(({ name }) => name.startsWith('connection'));
  return byConnection.flatMap(({ frames: all }) => {
    const guests = all.filter(isGuests);
    return guests.filter((frame, index) => {
      const next = guests[index + 1];
      return next !== undefined && idOf(next) === idOf(frame) && idOf(frame) > 0 && !hasData(frame);
    });
  });
}

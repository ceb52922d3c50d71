import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { buildTftpData, buildTftpError, buildTftpOptions, TFTP_ERRORS, TFTP_OPERATIONS } from '../../packets/tftp.ts';
import { tftpOperation } from '../../packets/tftp.ts';
import { buildUdp, type UdpDatagram } from '../../packets/udp.ts';
import { latin1 } from '../../base/bytes.ts';
import { addressText } from './link.ts';
import { type Addressed, isIpv4, type UserNet } from './part.ts';
import { sendIp } from './send.ts';
import type { ServedFile } from './setup.ts';
import type { TftpSession } from './state.ts';

export { TFTP_PORT } from '../../packets/tftp.ts';

const SESSIONS = 20;
/** How long a session lives that asks for nothing, when another wants its place: nanoseconds. */
const IDLE = 5_000_000_000;
const BLOCK_SIZE = 512;
const LARGEST_BLOCK = 1428;
const LONGEST_NAME = 512;
const MOST_OPTIONS = 2;
const LOW_DELAY = 0x10;

/** A message, and who it is from. */
interface Asked {
  readonly net: UserNet;
  readonly packet: Addressed;
  readonly datagram: UdpDatagram;
}

/** A request that is refused. */
interface Refusal {
  readonly code: number;
  readonly words: string;
}

const NO_ACCESS: Refusal = { code: TFTP_ERRORS.ACCESS, words: 'Access violation' };
const NO_MODE: Refusal = { code: TFTP_ERRORS.ILLEGAL, words: 'Unsupported transfer mode' };
const NO_FILE: Refusal = { code: TFTP_ERRORS.NOT_FOUND, words: 'File not found' };

/** An option that is taken, and the value that is. */
type Taken = readonly [name: 'tsize' | 'blksize', value: number];

/** A request that is granted. */
interface Request {
  readonly file: string;
  readonly options: readonly Taken[];
}

/** Answers are from the gateway, and arrive at once. */
function answer({ net, packet, datagram }: Asked, payload: Uint8Array): void {
  const ports = { sourcePort: datagram.destinationPort, destinationPort: datagram.sourcePort };
  const protocol = IP_PROTOCOLS.UDP;
  if (isIpv4(packet)) {
    const ends = { source: net.network.host, destination: packet.source, protocol };
    sendIp(net, { ...ends, payload: buildUdp({ ...ports, payload }, ends), tos: LOW_DELAY });
  } else {
    const ends = { source: net.network.host6, destination: packet.source, protocol };
    sendIp(net, { ...ends, payload: buildUdp({ ...ports, payload }, ends) });
  }
}

const saidOf = ({ net, packet, datagram }: Asked) => ({
  dev: net.effects.name,
  client: addressText(packet.source),
  port: datagram.sourcePort,
});

const sessionOf = ({ net, packet, datagram }: Asked): TftpSession | undefined =>
  net.state.tftp.find(({ client, port }) => client === packet.source && port === datagram.sourcePort);

function close(asked: Asked): void {
  if (sessionOf(asked) !== undefined) asked.net.effects.raise({ kind: 'sim:tftp_closed', ...saidOf(asked) });
}

/** The first place that is free, or whose session does nothing; undefined: there is none. */
function placeFor({ net }: Asked): number | undefined {
  const isFree = (place: number): boolean => {
    const session = net.state.tftp.find((other) => other.place === place);
    return session === undefined || net.effects.now - session.at > IDLE;
  };
  return Array.from({ length: SESSIONS }, (_, place) => place).find(isFree);
}

/** A file by its name as paths have it; `..` leads nowhere, for there are no folders but names. */
function fileOf({ setup }: UserNet, name: string): readonly [name: string, file: ServedFile] | undefined {
  const plain = name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  const file = Object.hasOwn(setup.served ?? {}, plain) ? setup.served?.[plain] : undefined;
  return file === undefined ? undefined : [plain, file];
}

/** A number as atoi(3) reads it. */
const numberIn = (text: string): number => Number(/^\s*([+-]?\d+)/.exec(text)?.[1] ?? 0) | 0;

/** Options of a request from its end on: pairs of texts, of which two at most are taken. */
function optionsIn(text: string, size: number): readonly Taken[] | Refusal {
  const texts = text.split('\0').slice(0, -1);
  const taken: Taken[] = [];
  for (let at = 0; at < texts.length && taken.length < MOST_OPTIONS; at += 2) {
    const [name = '', value] = [texts[at], texts[at + 1]];
    if (value === undefined) return NO_ACCESS;
    const number = numberIn(value);
    if (/^tsize$/i.test(name)) taken.push(['tsize', (number === 0 ? size : number) >>> 0]);
    if (/^blksize$/i.test(name) && number > 0) taken.push(['blksize', Math.min(number, LARGEST_BLOCK)]);
  }
  return taken;
}

const isRefusal = (value: object): value is Refusal => 'words' in value;

/** What a request asks for, looked at in libslirp's order. */
function requestIn(net: UserNet, text: string): Request | Refusal {
  if (net.setup.tftp === '') return NO_ACCESS;
  const end = text.indexOf('\0');
  if (end < 0 || end >= LONGEST_NAME) return NO_ACCESS;
  const name = text.slice(0, end);
  const rest = text.slice(end + 1);
  if (rest.length < 'octet\0'.length) return NO_ACCESS;
  if (!/^octet\0/i.test(rest)) return NO_MODE;
  if (name.includes('../') || name === '' || name.endsWith('/')) return NO_ACCESS;
  const found = fileOf(net, name);
  if (found === undefined) return NO_FILE;
  if (!text.endsWith('\0')) return NO_ACCESS;
  const options = optionsIn(rest.slice('octet\0'.length), found[1].size);
  return isRefusal(options) ? options : { file: found[0], options };
}

function read(asked: Asked): void {
  const { net, datagram } = asked;
  close(asked);
  const place = placeFor(asked);
  if (place === undefined) return;
  const request = requestIn(net, latin1(datagram.payload.subarray(2)));
  if (isRefusal(request)) {
    answer(asked, buildTftpError(request.code, request.words));
    return;
  }
  const { file, options } = request;
  const size = options.findLast(([name]) => name === 'blksize')?.[1] ?? BLOCK_SIZE;
  const opened = { place, file, block_size: size, at: net.effects.now };
  net.effects.raise({ kind: 'sim:tftp_opened', ...saidOf(asked), ...opened });
  if (options.length > 0) answer(asked, buildTftpOptions(options));
  else sendBlock(asked);
}

/** The session's next block goes, whichever was acknowledged. */
function sendBlock(asked: Asked): void {
  const session = sessionOf(asked);
  if (session === undefined) return;
  const { effects, setup } = asked.net;
  const { file = '', size = 0 } = setup.served?.[session.file] ?? {};
  const { block, blockSize } = session;
  const offset = block * blockSize;
  const length = Math.max(0, Math.min(blockSize, size - offset));
  effects.raise({ kind: 'sim:tftp_sent', ...saidOf(asked), block: block + 1, len: length, at: effects.now });
  if (length < blockSize) close(asked);
  answer(asked, buildTftpData(block + 1, effects.fileBytes(file, offset, length)));
}

/** A message to the server of files. */
export function receiveTftp(net: UserNet, packet: Addressed, datagram: UdpDatagram): void {
  const asked = { net, packet, datagram };
  const operation = tftpOperation(datagram.payload);
  if (operation === TFTP_OPERATIONS.READ) read(asked);
  else if (operation === TFTP_OPERATIONS.ACKNOWLEDGE) sendBlock(asked);
  else if (operation === TFTP_OPERATIONS.ERROR) close(asked);
}

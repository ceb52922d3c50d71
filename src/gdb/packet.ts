/**
 * Packets of gdb's remote serial protocol. GDB manual, appendix E.1 "Overview" and E.2 "Packets". A body is a string of
 * characters 0..255, since a packet may hold bytes.
 */

/** What arrives on the line. */
export type Arrival =
  | { readonly kind: 'packet'; readonly body: string }
  /** Ctrl-C: stop what runs. */
  | { readonly kind: 'interrupt' }
  /** The other side did not understand the last packet. */
  | { readonly kind: 'nack' }
  /** A packet whose checksum or form is wrong, or which is longer than was agreed. */
  | { readonly kind: 'malformed'; readonly why: string }
  /** What no gdb sends: something else than a packet, its acknowledgement or Ctrl-C. */
  | { readonly kind: 'noise' };

/** How far into a packet the line has come. */
export interface LineState {
  /** Body so far, as it was sent; undefined between packets. */
  body: string | undefined;
  /** The characters after '#'; undefined before it. */
  checksum: string | undefined;
  isTooLong: boolean;
}

/** Longest packet we take, as `PacketSize` tells gdb. */
export const PACKET_SIZE = 0x20000;

const INTERRUPT = '\x03';
const ESCAPE = '}';
const ESCAPED_BY = 0x20;
const SPECIAL = new Set(['#', '$', '}', '*']);
const DIGITS = '0123456789abcdef';

/** A line on which nothing has been sent. */
export const idleLine = (): LineState => ({ body: undefined, checksum: undefined, isTooLong: false });

/** Take up bytes, however they were cut: what they complete, in order. */
export function receive(line: LineState, bytes: Uint8Array): Arrival[] {
  const arrivals: Arrival[] = [];
  for (const byte of bytes) {
    const arrival = takeCharacter(line, String.fromCharCode(byte));
    if (arrival !== undefined) arrivals.push(arrival);
  }
  return arrivals;
}

function takeCharacter(line: LineState, character: string): Arrival | undefined {
  if (line.body === undefined) return betweenPackets(line, character);
  if (line.checksum !== undefined) return takeChecksum(line, character);
  if (character === '#') line.checksum = '';
  else if (character === '$') {
    // The sender began again: what came before was cut.
    line.body = '';
    line.isTooLong = false;
    return { kind: 'malformed', why: 'a packet was cut by the next' };
  } else if (line.body.length >= PACKET_SIZE) line.isTooLong = true;
  else line.body += character;
  return undefined;
}

function betweenPackets(line: LineState, character: string): Arrival | undefined {
  if (character === '$') line.body = '';
  else if (character === INTERRUPT) return { kind: 'interrupt' };
  else if (character === '-') return { kind: 'nack' };
  else if (character !== '+') return { kind: 'noise' };
  return undefined;
}

function takeChecksum(line: LineState, character: string): Arrival | undefined {
  const checksum = `${line.checksum}${character}`;
  if (checksum.length < 2) {
    line.checksum = checksum;
    return undefined;
  }
  const { body, isTooLong } = line;
  Object.assign(line, idleLine());
  if (isTooLong) return { kind: 'malformed', why: `a packet was longer than ${PACKET_SIZE} bytes` };
  if (checksum.toLowerCase() !== checksumOf(body as string))
    return { kind: 'malformed', why: 'its checksum was wrong' };
  return { kind: 'packet', body: unescaped(body as string) };
}

function checksumOf(body: string): string {
  let sum = 0;
  for (let at = 0; at < body.length; at += 1) sum += body.charCodeAt(at);
  return byteText(sum & 0xff);
}

const byteText = (byte: number): string => DIGITS.charAt(byte >> 4) + DIGITS.charAt(byte & 15);

function unescaped(body: string): string {
  if (!body.includes(ESCAPE)) return body;
  let plain = '';
  for (let at = 0; at < body.length; at += 1) {
    if (body[at] !== ESCAPE) plain += body[at];
    else {
      at += 1;
      if (at < body.length) plain += String.fromCharCode(body.charCodeAt(at) ^ ESCAPED_BY);
    }
  }
  return plain;
}

/** A packet as it is sent, as characters 0..255. */
export function packetOf(body: string): string {
  let sent = '';
  for (const character of body) {
    sent += SPECIAL.has(character) ? ESCAPE + String.fromCharCode(character.charCodeAt(0) ^ ESCAPED_BY) : character;
  }
  return `$${sent}#${checksumOf(sent)}`;
}

/** Bytes as pairs of hexadecimal digits. */
export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byteText(byte);
  return text;
}

/** Pairs of hexadecimal digits as bytes; undefined when they are none. */
export function bytesOf(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || /[^0-9a-fA-F]/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => Number.parseInt(text.slice(2 * at, 2 * at + 2), 16));
}

/** Characters 0..255 as bytes. */
export const bytesIn = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Characters 0..255 of a text in UTF-8, as hexadecimal digits: console output, thread names. */
export const hexText = (text: string): string => hexOf(new TextEncoder().encode(text));

/** A number of hexadecimal digits; undefined when it is none. */
export function hexNumber(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

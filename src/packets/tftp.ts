import { joined, numberAt, putNumber } from './layout.ts';

/** The port requests go to. */
export const TFTP_PORT = 69;

/** RFC 1350, RFC 2347. */
export const TFTP_OPERATIONS = { READ: 1, WRITE: 2, DATA: 3, ACKNOWLEDGE: 4, ERROR: 5, OPTIONS: 6 } as const;

export const TFTP_ERRORS = { NOT_FOUND: 1, ACCESS: 2, ILLEGAL: 4 } as const;

/** What a message is; undefined when it is cut. */
export const tftpOperation = (bytes: Uint8Array): number | undefined =>
  bytes.length < 2 ? undefined : numberAt(bytes, 0, 2);

const ended = (text: string): Uint8Array => Uint8Array.from(`${text}\0`, (character) => character.charCodeAt(0));

function numbered(operation: number, number: number, rest: Uint8Array): Uint8Array {
  const bytes = joined(new Uint8Array(4), rest);
  putNumber(bytes, 0, 2, operation);
  putNumber(bytes, 2, 2, number);
  return bytes;
}

/** A block of a file: its number, of which 16 bits go, and what is in it. */
export const buildTftpData = (block: number, data: Uint8Array): Uint8Array =>
  numbered(TFTP_OPERATIONS.DATA, block & 0xffff, data);

/** An error: a code of `TFTP_ERRORS` and words. */
export const buildTftpError = (code: number, words: string): Uint8Array =>
  numbered(TFTP_OPERATIONS.ERROR, code, ended(words));

/** What a server takes of the options it was asked for. */
export function buildTftpOptions(options: readonly (readonly [name: string, value: number])[]): Uint8Array {
  const bytes = joined(new Uint8Array(2), ...options.flatMap(([name, value]) => [ended(name), ended(`${value}`)]));
  putNumber(bytes, 0, 2, TFTP_OPERATIONS.OPTIONS);
  return bytes;
}

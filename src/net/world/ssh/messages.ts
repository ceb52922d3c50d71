/** Messages of SSH: RFC 4250, 4.1, and what is in them. */
import { ByteReader } from '../../../base/byte-reader.ts';
import { Problem } from '../../../base/problem.ts';
import { takeFlag, takeNames, takeNumber, takeString, takeText } from './wire.ts';

export const MESSAGES = {
  ...{ DISCONNECT: 1, IGNORE: 2, UNIMPLEMENTED: 3, DEBUG: 4, SERVICE_REQUEST: 5, SERVICE_ACCEPT: 6, EXT_INFO: 7 },
  ...{ KEXINIT: 20, NEWKEYS: 21, KEX_ECDH_INIT: 30, KEX_ECDH_REPLY: 31 },
  ...{ USERAUTH_REQUEST: 50, USERAUTH_FAILURE: 51, USERAUTH_SUCCESS: 52, USERAUTH_PK_OK: 60 },
  ...{ GLOBAL_REQUEST: 80, REQUEST_FAILURE: 82 },
  ...{ CHANNEL_OPEN: 90, CHANNEL_OPEN_CONFIRMATION: 91, CHANNEL_OPEN_FAILURE: 92, CHANNEL_WINDOW_ADJUST: 93 },
  ...{ CHANNEL_DATA: 94, CHANNEL_EXTENDED_DATA: 95, CHANNEL_EOF: 96, CHANNEL_CLOSE: 97 },
  ...{ CHANNEL_REQUEST: 98, CHANNEL_SUCCESS: 99, CHANNEL_FAILURE: 100 },
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(MESSAGES).map(([name, number]) => [number, name]));

/** What one side of a connection could do; each list begins with what it likes best. */
export interface Offer {
  readonly is: 'offer';
  readonly kex: readonly string[];
  readonly hostKeys: readonly string[];
  /** Ciphers and compressions, from the guest and to it. */
  readonly ciphers: readonly [readonly string[], readonly string[]];
  readonly compressions: readonly [readonly string[], readonly string[]];
  /** A packet follows that guesses what will be agreed on. */
  readonly guesses: boolean;
}

/** How a guest would show who it is: RFC 4252. */
export interface AuthRequest {
  readonly is: 'auth';
  readonly user: string;
  readonly service: string;
  readonly method: string;
  /** Of `password`. */
  readonly password: string | undefined;
  /** Of `publickey`: the key and, once it has one, its signature. */
  readonly key: { readonly algorithm: string; readonly blob: Uint8Array } | undefined;
  readonly signature: Uint8Array | undefined;
  /** Bytes of the message before the signature. */
  readonly signedLength: number;
}

export interface OpenRequest {
  readonly is: 'open';
  readonly type: string;
  readonly peer: number;
  readonly window: number;
  readonly most: number;
}

export interface ChannelRequest {
  readonly is: 'request';
  readonly channel: number;
  readonly type: string;
  readonly wantsReply: boolean;
  /** Of `exec`. */
  readonly command: string;
}

/** A message that was understood. `channel` is what its reader calls it. */
export type Message =
  | { readonly is: 'disconnect' }
  | { readonly is: 'void' }
  | { readonly is: 'unknown' }
  | { readonly is: 'service'; readonly name: string }
  | Offer
  | { readonly is: 'point'; readonly point: Uint8Array }
  | { readonly is: 'newkeys' }
  | AuthRequest
  | { readonly is: 'failure' }
  | { readonly is: 'success' }
  | { readonly is: 'global'; readonly wantsReply: boolean }
  | OpenRequest
  | { readonly is: 'adjust'; readonly channel: number; readonly bytes: number }
  | { readonly is: 'data' | 'errors'; readonly channel: number; readonly data: Uint8Array }
  | { readonly is: 'eof' | 'close'; readonly channel: number }
  | ChannelRequest;

type Reading = (reader: ByteReader) => Message;

const TAKES: Readonly<Record<number, Reading>> = {
  [MESSAGES.DISCONNECT]: () => ({ is: 'disconnect' }),
  [MESSAGES.IGNORE]: () => ({ is: 'void' }),
  [MESSAGES.UNIMPLEMENTED]: () => ({ is: 'void' }),
  [MESSAGES.DEBUG]: () => ({ is: 'void' }),
  [MESSAGES.EXT_INFO]: () => ({ is: 'void' }),
  [MESSAGES.SERVICE_REQUEST]: (reader) => ({ is: 'service', name: takeText(reader) }),
  [MESSAGES.KEXINIT]: takeOffer,
  [MESSAGES.NEWKEYS]: () => ({ is: 'newkeys' }),
  [MESSAGES.KEX_ECDH_INIT]: (reader) => ({ is: 'point', point: takeString(reader) }),
  [MESSAGES.USERAUTH_REQUEST]: takeAuth,
  [MESSAGES.USERAUTH_FAILURE]: () => ({ is: 'failure' }),
  [MESSAGES.USERAUTH_SUCCESS]: () => ({ is: 'success' }),
  [MESSAGES.GLOBAL_REQUEST](reader) {
    takeString(reader);
    return { is: 'global', wantsReply: takeFlag(reader) };
  },
  [MESSAGES.CHANNEL_OPEN]: (reader) => ({
    ...{ is: 'open', type: takeText(reader), peer: takeNumber(reader) },
    ...{ window: takeNumber(reader), most: takeNumber(reader) },
  }),
  [MESSAGES.CHANNEL_WINDOW_ADJUST]: (reader) => ({
    ...{ is: 'adjust', channel: takeNumber(reader), bytes: takeNumber(reader) },
  }),
  [MESSAGES.CHANNEL_DATA]: (reader) => ({ is: 'data', channel: takeNumber(reader), data: takeString(reader) }),
  [MESSAGES.CHANNEL_EXTENDED_DATA](reader) {
    const channel = takeNumber(reader);
    takeNumber(reader);
    return { is: 'errors', channel, data: takeString(reader) };
  },
  [MESSAGES.CHANNEL_EOF]: (reader) => ({ is: 'eof', channel: takeNumber(reader) }),
  [MESSAGES.CHANNEL_CLOSE]: (reader) => ({ is: 'close', channel: takeNumber(reader) }),
  [MESSAGES.CHANNEL_REQUEST](reader) {
    const [channel, type, wantsReply] = [takeNumber(reader), takeText(reader), takeFlag(reader)];
    return { is: 'request', channel, type, wantsReply, command: type === 'exec' ? takeText(reader) : '' };
  },
};

const COOKIE = 16;

function takeOffer(reader: ByteReader): Offer {
  reader.take(COOKIE);
  const [kex, hostKeys] = [takeNames(reader), takeNames(reader)];
  const ciphers = [takeNames(reader), takeNames(reader)] as const;
  // Codes of authentication: our cipher has its own.
  takeNames(reader);
  takeNames(reader);
  const compressions = [takeNames(reader), takeNames(reader)] as const;
  takeNames(reader);
  takeNames(reader);
  return { is: 'offer', kex, hostKeys, ciphers, compressions, guesses: takeFlag(reader) };
}

function takeAuth(reader: ByteReader): AuthRequest {
  const [user, service, method] = [takeText(reader), takeText(reader), takeText(reader)];
  const nothing = { password: undefined, key: undefined, signature: undefined, signedLength: 0 };
  const request = { is: 'auth', user, service, method, ...nothing } as const;
  if (method === 'password') {
    // Who changes a password shows the old one first.
    takeFlag(reader);
    return { ...request, password: takeText(reader) };
  }
  if (method !== 'publickey') return request;
  const isSigned = takeFlag(reader);
  const key = { algorithm: takeText(reader), blob: takeString(reader) };
  const signedLength = reader.at;
  return { ...request, key, signedLength, signature: isSigned ? takeString(reader) : undefined };
}

/** What a payload says; undefined: it cannot be understood, though its number is known. */
export function messageIn(payload: Uint8Array): Message | undefined {
  const take = TAKES[payload[0]!];
  if (take === undefined) return { is: 'unknown' };
  try {
    return take(new ByteReader(payload.subarray(1), 'a message'));
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

const MOST_WORDS = 200;

/** Its name, and what it is about, in a few words. */
export const messageText = (payload: Uint8Array): string => worded(payload).slice(0, MOST_WORDS);

function worded(payload: Uint8Array): string {
  const name = NAMES.get(payload[0]!) ?? `message ${payload[0]}`;
  const message = messageIn(payload);
  switch (message?.is) {
    case 'auth':
      return `${name} ${message.user} ${message.method}`;
    case 'open':
      return `${name} ${message.type}`;
    case 'request':
      return message.command === '' ? `${name} ${message.type}` : `${name} ${message.type} ${message.command}`;
    case 'data':
    case 'errors':
      return `${name} ${message.data.length} bytes`;
    default:
      return name;
  }
}

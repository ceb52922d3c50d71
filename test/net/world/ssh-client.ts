/**
 * A client of SSH that says whatever a test likes. It is no judge of the server, which OpenSSH is: what it knows of
 * sealing and hashing it has from there.
 */
import { x25519 } from '@noble/curves/ed25519.js';
import { fromLatin1, latin1 } from '../../../src/base/bytes.ts';
import { openPacket, sealPacket } from '../../../src/net/world/ssh/binary-packet.ts';
import { sha256, VERSION } from '../../../src/net/world/ssh/key-exchange.ts';
import { MESSAGES } from '../../../src/net/world/ssh/messages.ts';
import { integer, joined, nameList, sized, word } from '../../../src/net/world/ssh/wire.ts';
import { NOTHING } from '../../../src/packets/layout.ts';
import type { Bench } from '../bench.ts';
import { Client } from '../client.ts';

/** The lists of a KEXINIT. */
export interface Lists {
  readonly kex?: readonly string[];
  readonly hostKeys?: readonly string[];
  readonly ciphers?: readonly string[];
  readonly compressions?: readonly string[];
  readonly guesses?: boolean;
}

export function offering(lists: Lists = {}): Uint8Array {
  const { kex = ['curve25519-sha256'], hostKeys = ['ssh-ed25519'], guesses = false } = lists;
  const { ciphers = ['chacha20-poly1305@openssh.com'], compressions = ['none'] } = lists;
  const [cipher, mac, compression] = [ciphers, ['hmac-sha2-256'], compressions].map((list) => nameList(...list));
  const twice = [cipher!, cipher!, mac!, mac!, compression!, compression!, nameList(), nameList()];
  const cookie = new Uint8Array(16);
  return joined(MESSAGES.KEXINIT, cookie, nameList(...kex), nameList(...hostKeys), ...twice, guesses ? 1 : 0, word(0));
}

const OWN_VERSION = 'SSH-2.0-Test';
const SECRET = new Uint8Array(32).fill(7);

export class SshClient {
  readonly tcp: Client;
  /** Messages that were heard, without those that agree on keys. */
  readonly heard: Uint8Array[] = [];
  private at = 0;
  private offered: Uint8Array = NOTHING;
  private ours: Uint8Array = NOTHING;
  private session: Uint8Array | undefined;
  private agreed = { in: '', out: '' };
  private readonly out = { keys: '', sequence: 0 };
  private readonly in = { keys: '', sequence: 0 };

  constructor(bench: Bench, host: string, port = 22, own?: number) {
    this.tcp = new Client(bench, host, port, own);
  }

  get version(): string {
    return this.tcp.heard.slice(0, this.tcp.heard.indexOf('\r\n'));
  }

  greet(version = OWN_VERSION): this {
    this.at = this.tcp.heard.indexOf('\n') + 1;
    this.tcp.say(`${version}\r\n`);
    this.listen();
    return this;
  }

  /** Say a message, with so many of its last bytes changed, and hear what comes back. */
  say(payload: Uint8Array, spoilt = 0): this {
    const bytes = sealPacket(payload, this.out);
    for (let at = bytes.length - spoilt; at < bytes.length; at++) bytes[at]! ^= 1;
    this.out.sequence += 1;
    this.tcp.say(latin1(bytes));
    this.listen();
    return this;
  }

  /** Agree on keys. */
  exchange(offer = offering(), point = x25519.getPublicKey(SECRET)): this {
    this.ours = Uint8Array.from(offer);
    this.say(offer);
    return this.say(joined(MESSAGES.KEX_ECDH_INIT, sized(point)));
  }

  /** Come in as somebody of whom nothing is asked. */
  enter(user = 'open'): this {
    this.say(joined(MESSAGES.SERVICE_REQUEST, sized('ssh-userauth')));
    return this.say(authRequest(user, 'none'));
  }

  private listen(): void {
    for (;;) {
      const opened = openPacket(this.tcp.heard.slice(this.at), this.in);
      if (opened.is === 'bad') throw new Error(`The server says what cannot be opened: ${opened.why}`);
      if (opened.is === 'partial') return;
      this.at += opened.used;
      this.in.sequence += 1;
      this.hear(Uint8Array.from(opened.payload));
    }
  }

  private hear(payload: Uint8Array): void {
    const [number] = payload;
    if (number === MESSAGES.KEXINIT) this.offered = payload;
    else if (number === MESSAGES.KEX_ECDH_REPLY) this.reply(payload);
    else if (number === MESSAGES.NEWKEYS) this.useKeys();
    else this.heard.push(payload);
  }

  private reply(payload: Uint8Array): void {
    const [blob, point] = strings(payload.subarray(1));
    const shared = integer(x25519.getSharedSecret(SECRET, Uint8Array.from(point!)));
    const hash = sha256(
      ...[sized(OWN_VERSION), sized(VERSION), sized(this.ours), sized(this.offered)],
      ...[sized(blob!), sized(x25519.getPublicKey(SECRET)), sized(point!), shared],
    );
    this.session ??= hash;
    const keyOf = (letter: string): string => {
      const first = sha256(shared, hash, fromLatin1(letter), this.session!);
      return latin1(joined(first, sha256(shared, hash, first)));
    };
    this.agreed = { in: keyOf('D'), out: keyOf('C') };
  }

  private useKeys(): void {
    this.in.keys = this.agreed.in;
    this.say(joined(MESSAGES.NEWKEYS));
    this.out.keys = this.agreed.out;
  }
}

/** Strings one behind the other. */
export function strings(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint32(at);
    found.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

export const authRequest = (user: string, method: string, ...more: readonly (Uint8Array | number)[]): Uint8Array =>
  joined(MESSAGES.USERAUTH_REQUEST, sized(user), sized('ssh-connection'), sized(method), ...more);

export const opening = (peer: number, window = 2 ** 21, most = 2 ** 15, type = 'session'): Uint8Array =>
  joined(MESSAGES.CHANNEL_OPEN, sized(type), word(peer), word(window), word(most));

export const executing = (channel: number, command: string): Uint8Array =>
  joined(MESSAGES.CHANNEL_REQUEST, word(channel), sized('exec'), 1, sized(command));

export const data = (channel: number, bytes: Uint8Array | string): Uint8Array =>
  joined(MESSAGES.CHANNEL_DATA, word(channel), sized(bytes));

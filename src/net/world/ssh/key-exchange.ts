/** How both sides come to keys nobody else has: RFC 4253, 7 and 8, and RFC 8731. */
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { fromHexadecimal, fromLatin1 } from '../../../base/bytes.ts';
import { SHA256_START, sha256Add, sha256Text } from '../../../base/sha256.ts';
import { MESSAGES, type Offer } from './messages.ts';
import { integer, joined, nameList, sized, word } from './wire.ts';

const KEX = ['curve25519-sha256', 'curve25519-sha256@libssh.org'];
/** OpenSSH's: packets count from 0 with each change of keys, and nothing but the exchange comes before the first. */
const STRICT = { guest: 'kex-strict-c-v00@openssh.com', server: 'kex-strict-s-v00@openssh.com' };
export const HOST_KEY = 'ssh-ed25519';
const CIPHER = 'chacha20-poly1305@openssh.com';
/** Of no use to our cipher, which has its own. */
const MAC = 'hmac-sha2-256';
const NO_COMPRESSION = 'none';

export const VERSION = 'SSH-2.0-Retrovisor';

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = { ...SHA256_START, words: [...SHA256_START.words] };
  for (const part of parts) sha256Add(hash, part);
  return fromHexadecimal(sha256Text(hash));
}

/** The server's KEXINIT. `cookie`: 16 bytes of chance. */
export const kexInit = (cookie: Uint8Array): Uint8Array =>
  joined(
    ...[
      MESSAGES.KEXINIT,
      cookie,
      nameList(...KEX, STRICT.server),
      nameList(HOST_KEY),
      nameList(CIPHER),
      nameList(CIPHER),
    ],
    ...[
      nameList(MAC),
      nameList(MAC),
      nameList(NO_COMPRESSION),
      nameList(NO_COMPRESSION),
      nameList(),
      nameList(),
      0,
      word(0),
    ],
  );

export const asksForStrict = ({ kex }: Offer): boolean => kex.includes(STRICT.guest);

/** What nothing can be agreed on about; undefined: all can. */
export function disagreement({ kex, hostKeys, ciphers, compressions }: Offer): string | undefined {
  if (!kex.some((name) => KEX.includes(name))) return 'key exchange';
  if (!hostKeys.includes(HOST_KEY)) return 'host key';
  if (!ciphers.every((list) => list.includes(CIPHER))) return 'cipher';
  return compressions.every((list) => list.includes(NO_COMPRESSION)) ? undefined : 'compression';
}

/** Whether a guest's next packet is for something else than what is agreed on. */
export const guessesWrong = ({ guesses, kex, hostKeys }: Offer): boolean =>
  guesses && (kex[0] !== KEX[0] || hostKeys[0] !== HOST_KEY);

/** A public key as SSH has it. */
const blobOf = (seed: Uint8Array): Uint8Array => joined(sized(HOST_KEY), sized(ed25519.getPublicKey(seed)));

/** A host's key as it stands in `known_hosts` behind the host's name; `seed` is its private key. */
export const publicKeyBlob = blobOf;

/** What an exchange is made of. */
export interface Exchanged {
  readonly guestVersion: string;
  /** Both KEXINIT: payloads, a byte a character. */
  readonly theirs: string;
  readonly ours: string;
  /** The guest's point on the curve. */
  readonly point: Uint8Array;
  /** The host's private key, and the one for this exchange alone: 32 bytes each. */
  readonly hostKey: Uint8Array;
  readonly secret: Uint8Array;
  /** A byte a character; empty in the first exchange. */
  readonly session: string;
}

export interface Keys {
  readonly reply: Uint8Array;
  readonly session: Uint8Array;
  readonly fromGuest: Uint8Array;
  readonly toGuest: Uint8Array;
}

/** Keys of an exchange, and what tells the guest of them; undefined: its point is none that may be used. */
export function keysOf({ hostKey, secret, point, ...said }: Exchanged): Keys | undefined {
  const shared = sharedWith(point, secret);
  if (shared === undefined) return undefined;
  const [blob, ours] = [blobOf(hostKey), x25519.getPublicKey(secret)];
  const hash = sha256(
    ...[sized(fromLatin1(said.guestVersion)), sized(VERSION), sized(fromLatin1(said.theirs))],
    ...[sized(fromLatin1(said.ours)), sized(blob), sized(point), sized(ours), shared],
  );
  const signature = joined(sized(HOST_KEY), sized(ed25519.sign(hash, hostKey)));
  const reply = joined(MESSAGES.KEX_ECDH_REPLY, sized(blob), sized(ours), sized(signature));
  const session = said.session === '' ? hash : fromLatin1(said.session);
  const keyOf = (letter: string): Uint8Array => {
    const first = sha256(shared, hash, joined(letter.charCodeAt(0)), session);
    return joined(first, sha256(shared, hash, first));
  };
  return { reply, session, fromGuest: keyOf('C'), toGuest: keyOf('D') };
}

const POINT = 32;

/** What both sides know then, as a number of SSH's; undefined: anybody would, for the point is of a small order. */
function sharedWith(point: Uint8Array, secret: Uint8Array): Uint8Array | undefined {
  if (point.length !== POINT) return undefined;
  try {
    return integer(x25519.getSharedSecret(secret, Uint8Array.from(point)));
  } catch {
    return undefined;
  }
}

/** Whether the owner of a public key of Ed25519 has signed something. RFC 8709. */
export function isSigned(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, publicKey);
  } catch {
    return false;
  }
}

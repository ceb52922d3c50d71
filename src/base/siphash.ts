/** SipHash-2-4 of a key of 16 bytes: 64 bits (J.-P. Aumasson, D. J. Bernstein: SipHash, 2012). */
export function siphash(key: Uint8Array, message: Uint8Array): bigint {
  const [k0, k1] = [wordAt(key, 0), wordAt(key, WORD)];
  const lanes: Lanes = INITIAL.map((word, at) => word ^ (at % 2 === 0 ? k0 : k1)) as Lanes;
  const whole = message.length - (message.length % WORD);
  for (let at = 0; at < whole; at += WORD) compress(lanes, wordAt(message, at));
  compress(lanes, wordAt(message, whole) | (BigInt(message.length & 0xff) << 56n));
  lanes[2] ^= 0xffn;
  for (let round = 0; round < 4; round += 1) mix(lanes);
  return lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3];
}

const WORD = 8;

type Lanes = [bigint, bigint, bigint, bigint];

/** "somepseudorandomlygeneratedbytes". */
const INITIAL: Lanes = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n];

/** Eight bytes, or those that are left, the lowest first. */
function wordAt(bytes: Uint8Array, from: number): bigint {
  let word = 0n;
  for (let at = Math.min(from + WORD, bytes.length) - 1; at >= from; at -= 1) word = (word << 8n) | BigInt(bytes[at]!);
  return word;
}

function compress(lanes: Lanes, word: bigint): void {
  lanes[3] ^= word;
  mix(lanes);
  mix(lanes);
  lanes[0] ^= word;
}

const sum = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a + b);
const rotated = (word: bigint, by: bigint): bigint => BigInt.asUintN(64, word << by) | (word >> (64n - by));

/** SipRound. */
function mix(lanes: Lanes): void {
  let [a, b, c, d] = lanes;
  a = sum(a, b);
  b = rotated(b, 13n) ^ a;
  a = rotated(a, 32n);
  c = sum(c, d);
  d = rotated(d, 16n) ^ c;
  a = sum(a, d);
  d = rotated(d, 21n) ^ a;
  c = sum(c, b);
  b = rotated(b, 17n) ^ c;
  c = rotated(c, 32n);
  lanes[0] = a;
  lanes[1] = b;
  lanes[2] = c;
  lanes[3] = d;
}

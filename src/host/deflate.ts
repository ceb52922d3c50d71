import { constants, deflateRawSync } from 'node:zlib';

/** The level at which a short run, whose writer is not warm yet, costs least. */
const LEVEL = 3;

/** What is no longer than this is deflated as it is. */
const SHORT = 1 << 17;

/** Bytes that are looked at together. */
const PIECE = 1 << 14;

/** Bytes of a sample that is deflated to see whether it becomes shorter, by a tenth at least. */
const SAMPLE = 1 << 12;
const SHORTENED = 0.9;

/**
 * Of bytes that are each as likely as any other two are the same one time in 256. So much oftener they may be so that
 * nothing is to be gained by deflating them.
 */
const EVEN = 1.3 / 256;

/** Most bytes of a stored block. RFC 1951, 3.2.4. */
const MOST_STORED = 0xffff;

/** An empty block of fixed codes, the last. RFC 1951, 3.2.6. */
const END = Uint8Array.of(3, 0);

/** How often each byte occurs: used again and again. */
const COUNTS = new Uint32Array(256);

/** Of so many bytes one is looked at. */
const STEP = 3;

/** Whether bytes are as if drawn by chance, one by one. */
function isEven(bytes: Uint8Array): boolean {
  COUNTS.fill(0);
  for (let at = 0; at < bytes.length; at += STEP) COUNTS[bytes[at]!]! += 1;
  let same = 0;
  for (let byte = 0; byte < COUNTS.length; byte += 1) same += COUNTS[byte]! * COUNTS[byte]!;
  const seen = Math.ceil(bytes.length / STEP);
  return same < EVEN * seen * seen;
}

/** Whether some in the midst of bytes do not become shorter: what is even may repeat all the same. */
function isDense(bytes: Uint8Array): boolean {
  const from = (bytes.length - SAMPLE) >> 1;
  const sample = bytes.subarray(from, from + SAMPLE);
  return deflateRawSync(sample, { level: 1 }).length > SHORTENED * SAMPLE;
}

interface Stretch {
  readonly from: number;
  to: number;
  readonly isEven: boolean;
}

/** What is to be stored and what to be deflated, in turn. */
function stretchesOf(raw: Uint8Array): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (let from = 0; from < raw.length; from += PIECE) {
    const to = Math.min(from + PIECE, raw.length);
    const even = to - from === PIECE && isEven(raw.subarray(from, to));
    const last = stretches.at(-1);
    if (last?.isEven === even) last.to = to;
    else stretches.push({ from, to, isEven: even });
  }
  return stretches;
}

/** Blocks that hold bytes as they are. */
function stored(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / MOST_STORED);
  const all = new Uint8Array(bytes.length + 5 * blocks);
  for (let from = 0, at = 0; from < bytes.length; from += MOST_STORED) {
    const some = bytes.subarray(from, from + MOST_STORED);
    all.set([0, some.length & 0xff, some.length >> 8, ~some.length & 0xff, (~some.length >> 8) & 0xff], at);
    all.set(some, at + 5);
    at += 5 + some.length;
  }
  return all;
}

/** Deflated up to a byte's boundary, so that other blocks may follow. */
const deflated = (bytes: Uint8Array): Uint8Array =>
  deflateRawSync(bytes, { level: LEVEL, finishFlush: constants.Z_SYNC_FLUSH });

/**
 * Deflate, without a trailer (RFC 1951). Long stretches of what does not become shorter, as files that somebody
 * downloads are, are stored: looking for repetitions in them takes most of the time of a run that moves them.
 */
export function deflateRaw(raw: Uint8Array): Uint8Array {
  const stretches = raw.length > SHORT ? stretchesOf(raw) : [];
  if (!stretches.some((each) => each.isEven)) return deflateRawSync(raw, { level: LEVEL });
  const pieces = stretches.map(({ from, to, isEven: isItEven }) => {
    const bytes = raw.subarray(from, to);
    return isItEven && isDense(bytes) ? stored(bytes) : deflated(bytes);
  });
  return Buffer.concat([...pieces, END]);
}

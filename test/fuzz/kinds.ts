import { inflateRawSync } from 'node:zlib';
import { ByteReader } from '../../src/base/byte-reader.ts';
import { MANIFEST_NAME } from '../../src/host/pack/manifest.ts';
import { TAR_END, tarHeader, tarPadding } from '../../src/host/pack/tar.ts';
import { compress } from '../../src/host/trace-file.ts';
import { byteWriter, writeVarint, written } from '../../src/replay/trace/bytes.ts';
import {
  CHUNK_HEADER_LENGTH,
  decodeChunkHeader,
  encodeChunkHeader,
  encodeTrailer,
  PREAMBLE_LENGTH,
  TRAILER_LENGTH,
} from '../../src/replay/trace/chunk.ts';
import { PART } from '../../src/replay/trace/checkpoint-format.ts';
import { crc32 } from '../../src/base/crc32.ts';
import { readPlain, writePlain } from '../../src/replay/trace/plain-value.ts';
import { holding, traceOf, withHeader } from '../replay/crafted.ts';
import { type Draw, mutatedEvents } from '../replay/mutated-events.ts';
import { type OpenChunk, resealed } from '../replay/resealed.ts';
import { mutatedBytes, mutatedList, mutatedValue, oddNumber, oddText } from './mutations.ts';
import { type Packed, put, type Samples } from './samples.ts';

/** A file, or some, that nobody's writer wrote, put down; and how it is given to the program. */
export interface Mutant {
  /** Its files, that may be opened. */
  readonly files: readonly string[];
  readonly given:
    | { readonly as: 'trace'; readonly trace: string }
    | { readonly as: 'guest'; readonly options: readonly string[] }
    | { readonly as: 'symbols'; readonly trace: string; readonly symbols: string };
}

/** One kind of file: to add one, add its row. */
type Kind = (samples: Samples, draw: Draw) => Mutant;

type Json = Record<string, unknown>;

const asTrace = ({ folder, kernel }: Samples, bytes: Uint8Array): Mutant => {
  const trace = put(folder, 'case.trace', bytes);
  return { files: [trace, kernel], given: { as: 'trace', trace } };
};

/** Right checksums over a header whose lengths and counts are somebody's. */
function spoilt(chunk: OpenChunk, draw: Draw): OpenChunk {
  const { header, content } = chunk;
  const odd = (): number => Math.min(2 ** 32 - 1, Math.max(0, Math.trunc(oddNumber(draw))));
  const kinds: readonly (() => OpenChunk)[] = [
    () => holding(chunk, mutatedBytes(content, draw)),
    () => holding(chunk, mutatedBytes(content, draw, 64)),
    () => holding(chunk, new Uint8Array(draw.pick([0, 1, 2 ** 20, 2 ** 24])).fill(draw.below(256))),
    () => ({ header: { ...header, events: odd() }, content }),
    () => ({ header: { ...header, rawLength: odd() }, content }),
    () => ({ header: { ...header, firstSeq: oddNumber(draw) }, content }),
    () => ({ header: { ...header, firstTick: oddNumber(draw), lastTick: oddNumber(draw) }, content }),
    () => ({ header: { ...header, kind: draw.pick([0, 1, 2, 3, 4, 5, 16, 255]) }, content }),
  ];
  return draw.pick([kinds[0], kinds[0], ...kinds] as typeof kinds)();
}

function anIndex(draw: Draw): Uint8Array {
  const out = byteWriter(64);
  const whole = (): number => Math.min(2 ** 53 - 1, Math.max(0, Math.trunc(oddNumber(draw))));
  writeVarint(out, draw.pick([1, 3, 1000, whole()]));
  for (let left = draw.below(40); left > 0; left -= 1) writeVarint(out, draw.pick([16, 1, 2, 0, whole()]));
  return written(out);
}

/** Many kinds, or few of many fields. */
function crowd(draw: Draw): Json {
  const [kinds, fields] = draw.pick([
    [10, 3000],
    [2000, 5],
    [40_000, 1],
  ] as const);
  const each = Object.fromEntries(Array.from({ length: fields }, (_, at) => [`f${at}`, 'u']));
  return Object.fromEntries(Array.from({ length: kinds }, (_, at) => [`k${at}`, each]));
}

function mutatedVocabulary(header: Json, draw: Draw): Json | string {
  const fields = (): Json =>
    Object.fromEntries(
      Array.from({ length: draw.pick([1, 3, 70, 3000]) }, (_, at) => [
        `f${at}`,
        draw.pick(['u', 'i', 'u64', 'text', 'bytes', 'bool']),
      ]),
    );
  const vocabulary = header['vocabulary'] as Json;
  const kinds: readonly (() => Json)[] = [
    () => mutatedValue(vocabulary, draw) as Json,
    () => ({ ...vocabulary, [draw.pick(Object.keys(vocabulary))]: fields() }),
    () => Object.fromEntries(mutatedList(Object.entries(vocabulary), draw, ([, held]) => [oddText(draw), held])),
    () => crowd(draw),
  ];
  return JSON.stringify({ ...header, vocabulary: draw.pick(kinds)() });
}

/** Chunks of a file of checkpoints. */
function partsOf(bytes: Uint8Array): OpenChunk[] {
  const parts: OpenChunk[] = [];
  for (let at = PREAMBLE_LENGTH; at < bytes.length - TRAILER_LENGTH; ) {
    const header = decodeChunkHeader(bytes.subarray(at, at + CHUNK_HEADER_LENGTH))!;
    const stored = bytes.subarray(at + CHUNK_HEADER_LENGTH, at + CHUNK_HEADER_LENGTH + header.storedLength);
    parts.push({ header, content: header.compression === 0 ? stored : new Uint8Array(inflateRawSync(stored)) });
    at += CHUNK_HEADER_LENGTH + header.storedLength;
  }
  return parts;
}

/** A file of checkpoints with right checksums, and an index that knows where its chunks lie now. */
function checkpointFile(preamble: Uint8Array, parts: readonly OpenChunk[], draw: Draw): Uint8Array {
  const pieces: Uint8Array[] = [preamble];
  const places = new Map<number, number>();
  let offset = preamble.length;
  for (const [at, part] of parts.entries()) {
    const isIndex = part.header.kind === PART.index && draw.below(4) > 0;
    const content = isIndex ? placedAnew(part.content, places) : part.content;
    const stored = compress(content);
    const rawLength = part.header.rawLength === part.content.length ? content.length : part.header.rawLength;
    const header = {
      ...part.header,
      rawLength,
      compression: 1,
      storedLength: stored.length,
      payloadCrc: crc32(stored),
    };
    places.set(at, offset);
    pieces.push(encodeChunkHeader(header), stored);
    offset += CHUNK_HEADER_LENGTH + stored.length;
  }
  return Buffer.concat([
    ...pieces,
    encodeTrailer(draw.below(20) === 0 ? oddNumber(draw) : (places.get(parts.length - 1) ?? 0)),
  ]);
}

function placedAnew(content: Uint8Array, places: ReadonlyMap<number, number>): Uint8Array {
  try {
    const index = readPlain(new ByteReader(content, 'the index')) as {
      checkpoints: { offset: number }[];
      pageChunks: number[];
    };
    const offsets = [...places.values()];
    const all = [...index.checkpoints.map(({ offset }) => offset), ...index.pageChunks].sort((a, b) => a - b);
    const now = (offset: number): number => offsets[all.indexOf(offset)] ?? offset;
    return plain({
      ...index,
      checkpoints: index.checkpoints.map((each) => ({ ...each, offset: now(each.offset) })),
      pageChunks: index.pageChunks.map(now),
    });
  } catch {
    return content;
  }
}

function plain(value: unknown): Uint8Array {
  const out = byteWriter(1024);
  writePlain(out, value);
  return written(out);
}

/** The plain value at a chunk's end, otherwise: a checkpoint's state has its changes of pages before it. */
function otherState(part: OpenChunk, draw: Draw): OpenChunk {
  const input = new ByteReader(part.content, 'a chunk');
  try {
    while (part.header.kind === PART.checkpoint && input.bytes[input.at] !== STATE_TAG) input.at += 1;
    const before = part.content.slice(0, input.at);
    const value = mutatedValue(readPlain(input), draw);
    return holding(part, Buffer.concat([before, plain(value)]));
  } catch {
    return holding(part, mutatedBytes(part.content, draw));
  }
}

/** How a state begins: it is an object. */
const STATE_TAG = 10;

const guest = (
  { folder }: Samples,
  name: string,
  bytes: Uint8Array,
  options: (path: string) => readonly string[],
): Mutant => {
  const path = put(folder, name, bytes);
  return { files: [path], given: { as: 'guest', options: options(path) } };
};

/** A file of a pack, otherwise: what the manifest says, or what lies there. */
function otherMember({ name, content }: Packed, draw: Draw): Packed {
  if (draw.below(6) === 0) return { name: oddText(draw).slice(0, 100), content };
  if (name !== MANIFEST_NAME) return { name, content: mutatedBytes(content, draw) };
  const said = JSON.stringify(mutatedValue(JSON.parse(new TextDecoder().decode(content)), draw)) ?? 'nothing';
  return { name, content: new TextEncoder().encode(said) };
}

const archive = (files: readonly Packed[]): Uint8Array =>
  Buffer.concat([
    ...files.flatMap(({ name, content }) => [tarHeader(name, content.length), content, tarPadding(content.length)]),
    TAR_END,
  ]);

/** Files somebody might be sent. */
export const KINDS: Readonly<Record<string, Kind>> = {
  header: (samples, draw) =>
    asTrace(
      samples,
      withHeader(samples.trace, (header) => JSON.stringify(mutatedValue(header, draw)) ?? 'nothing'),
    ),
  machine: (samples, draw) =>
    asTrace(
      samples,
      withHeader(samples.trace, (header) => ({ ...header, machine: mutatedValue(header['machine'], draw) })),
    ),
  vocabulary: (samples, draw) =>
    asTrace(
      samples,
      withHeader(samples.trace, (header) => mutatedVocabulary(header, draw)),
    ),
  chunks: (samples, draw) =>
    asTrace(
      samples,
      resealed(samples.trace, (chunks) => mutatedList(chunks, draw, (chunk) => spoilt(chunk, draw))),
    ),
  events: (samples, draw) =>
    asTrace(samples, traceOf(`${samples.folder}/sample.trace`, mutatedEvents(samples.events, draw).events)),
  index: (samples, draw) =>
    asTrace(
      samples,
      resealed(samples.trace, (chunks) => chunks, anIndex(draw)),
    ),
  bytes: (samples, draw) => asTrace(samples, mutatedBytes(samples.trace, draw)),
  checkpoints(samples, draw) {
    const { folder, kernel, checkpoints, trace: bytes } = samples;
    const trace = put(folder, 'case.trace', bytes);
    const preamble = checkpoints.subarray(0, PREAMBLE_LENGTH);
    const parts = partsOf(checkpoints);
    const otherwise = (part: OpenChunk): OpenChunk =>
      part.header.kind === PART.pages || draw.below(4) === 0 ? spoilt(part, draw) : otherState(part, draw);
    const file = put(folder, 'case.trace.ckpt', checkpointFile(preamble, mutatedList(parts, draw, otherwise), draw));
    return { files: [trace, file, kernel], given: { as: 'trace', trace } };
  },
  fork(samples, draw) {
    const changes = samples.forkEvents.flatMap(({ event }, at) => (event.kind === 'sim:intervened' ? [at] : []));
    const at = draw.pick(changes);
    const stamped = samples.forkEvents[at]!;
    if (stamped.event.kind !== 'sim:intervened' || draw.below(4) === 0) {
      return asTrace(samples, traceOf(`${samples.folder}/fork.trace`, mutatedEvents(samples.forkEvents, draw).events));
    }
    const value = JSON.stringify(mutatedValue(JSON.parse(stamped.event.value), draw)) ?? oddText(draw);
    const what =
      draw.below(4) === 0
        ? oddText(draw)
        : draw.pick(['register', 'xsave', 'memory', 'interrupt', 'state', stamped.event.what]);
    const event = { ...stamped.event, what, value };
    return asTrace(
      samples,
      traceOf(`${samples.folder}/fork.trace`, samples.forkEvents.with(at, { ...stamped, event })),
    );
  },
  pack(samples, draw) {
    const files = mutatedList(samples.pack, draw, (member) => otherMember(member, draw));
    const bytes = archive(files);
    return asTrace(samples, draw.below(4) === 0 ? mutatedBytes(bytes, draw, 1024) : bytes);
  },
  kernel: (samples, draw) =>
    guest(
      samples,
      'case.kernel',
      mutatedBytes(draw.pick(samples.kernels), draw, draw.pick([64, 120, 0x268, 9000])),
      (path) => ['-kernel', path],
    ),
  initrd(samples, draw) {
    const kernel = put(samples.folder, 'case.kernel', draw.pick(samples.kernels));
    const length = draw.pick([0, 1, 4095, 4097, 2 ** 20, 2 ** 22, 2 ** 24]);
    const made = guest(samples, 'case.initrd', new Uint8Array(length).fill(draw.below(256)), (path) => [
      '-kernel',
      kernel,
      '-initrd',
      path,
    ]);
    return { ...made, files: [...made.files, kernel] };
  },
  firmware: (samples, draw) =>
    guest(
      samples,
      'case.bios',
      draw.below(4) === 0 ? samples.firmware.subarray(draw.below(0x10000)) : mutatedBytes(samples.firmware, draw, 32),
      (path) => ['-bios', path],
    ),
  'option ROM'(samples, draw) {
    const bios = put(samples.folder, 'case.bios', samples.firmware);
    const rom = Uint8Array.from({ length: draw.pick([1, 2, 3, 511, 512, 2048, 2 ** 17, 2 ** 18]) }, () =>
      draw.below(256),
    );
    const made = guest(samples, 'case.rom', rom, (path) => ['-bios', bios, '-option-rom', path]);
    return { ...made, files: [...made.files, bios] };
  },
  symbols(samples, draw) {
    const { folder, kernel, trace: bytes } = samples;
    const trace = put(folder, 'case.trace', bytes);
    const symbols = put(folder, 'case.symbols', mutatedBytes(draw.pick(samples.symbols), draw, draw.pick([64, 4096])));
    return { files: [trace, kernel, symbols], given: { as: 'symbols', trace, symbols } };
  },
};

/** Kinds by name, in order. */
export const KIND_NAMES = Object.keys(KINDS);

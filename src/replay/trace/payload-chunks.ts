import { ByteReader } from '../../base/byte-reader.ts';
import { hexadecimal, fromHexadecimal } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { Problem } from '../../base/problem.ts';
import { LONGEST_PAYLOAD, type Sha256 } from '../../memory/payloads.ts';
import { byteWriter, writeBytes, writeVarint, written } from './bytes.ts';
import { CHUNK } from './chunk.ts';
import { contradiction } from './contradiction.ts';
import type { ByteSource, ChunkPlace, PayloadPlace, PayloadReader } from './opened.ts';

/** Payloads that wait for each other, so that small ones are deflated together. */
const BYTES_PER_CHUNK = 2 ** 20;

/** Bytes of a SHA-256. */
const NAME_LENGTH = 32;

/** Most bytes of a list: a recorder's names fewer payloads than a chunk has events. */
const LONGEST_LIST = 2 ** 18;

/** What two neighbouring chunks hold: names and lengths, and the bytes, one behind the other. */
interface PayloadChunks {
  readonly list: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Payloads of a trace being written that are not put down yet. Each content is once. */
export class PayloadBatch {
  private readonly known = new Set<string>();
  private list = byteWriter(NAME_LENGTH);
  private bytes = byteWriter(0);

  has(sha256: string): boolean {
    return this.known.has(sha256);
  }

  /** Whether what waits is to be put down before so many bytes join it. */
  isFullFor(length: number): boolean {
    return this.list.length > 0 && this.bytes.length + length > BYTES_PER_CHUNK;
  }

  add(sha256: string, payload: Uint8Array): void {
    const name = fromHexadecimal(sha256);
    invariant(name.length === NAME_LENGTH, 'a payload is named by its SHA-256', { sha256 });
    this.known.add(sha256);
    writeBytes(this.list, name);
    writeVarint(this.list, payload.length);
    writeBytes(this.bytes, payload);
  }

  /** What waits; undefined when nothing does. */
  take(): PayloadChunks | undefined {
    if (this.list.length === 0) return undefined;
    const taken = { list: written(this.list), bytes: written(this.bytes) };
    this.list = byteWriter(NAME_LENGTH);
    this.bytes = byteWriter(0);
    return taken;
  }
}

/** What somebody takes from the content of a chunk of at most so many bytes, checked. */
type ReadChunk = <T>(chunk: ChunkPlace, most: number, take: (content: Uint8Array) => T) => T;

/** Reads what is asked for: of lists nothing, until somebody wants a payload. */
export class RecordedPayloads implements PayloadReader {
  private readonly source: Pick<ByteSource, 'name' | 'size'>;
  private readonly chunks: readonly ChunkPlace[];
  private readonly read: ReadChunk;
  /** Why chunks are missing, or the first list is that cannot be read. */
  private damage: string | undefined;
  private readonly cut: string | undefined;
  private places: ReadonlyMap<string, PayloadPlace> | undefined;
  private last: { readonly chunk: ChunkPlace; readonly content: Uint8Array } | undefined;

  constructor(
    source: Pick<ByteSource, 'name' | 'size'>,
    chunks: readonly ChunkPlace[],
    { damage, cut }: { readonly damage: string | undefined; readonly cut?: string | undefined },
    read: ReadChunk,
  ) {
    this.source = source;
    this.chunks = chunks;
    this.damage = damage;
    this.cut = cut;
    this.read = read;
  }

  list(): readonly PayloadPlace[] {
    return [...this.known().values()];
  }

  payload(sha256: string, hash: Sha256): Uint8Array {
    const place = this.known().get(sha256);
    const { name, size } = this.source;
    if (place === undefined) {
      const missing = `${name} ends at byte ${size} and does not hold it.`;
      throw unreadable(sha256, this.damage ?? this.cut ?? missing);
    }
    const { chunk, at, length } = place;
    const bytes = this.contentFor(place).subarray(at, at + length);
    const found = hash(bytes);
    if (found === sha256) return bytes;
    const where = `${name} is damaged in chunk ${chunk.ordinal} (byte ${chunk.offset})`;
    throw unreadable(sha256, `${where}: what it holds there has the SHA-256 ${found}.`);
  }

  private contentFor({ sha256, chunk, together }: PayloadPlace): Uint8Array {
    if (this.last?.chunk === chunk) return this.last.content;
    try {
      const content = this.read(chunk, LONGEST_PAYLOAD, (bytes) => {
        if (bytes.length === together) return bytes;
        throw contradiction(`${bytes.length} bytes of payloads, and lists ${together}`);
      });
      this.last = { chunk, content };
      return content;
    } catch (problem) {
      throw problem instanceof Problem ? unreadable(sha256, problem.message) : problem;
    }
  }

  private known(): ReadonlyMap<string, PayloadPlace> {
    this.places ??= this.readLists();
    return this.places;
  }

  private readLists(): ReadonlyMap<string, PayloadPlace> {
    const places = new Map<string, PayloadPlace>();
    for (const [index, list] of this.chunks.entries()) {
      const chunk = this.chunks[index + 1];
      if (list.kind !== CHUNK.payloadList || chunk?.kind !== CHUNK.payloads) continue;
      try {
        for (const place of this.read(list, LONGEST_LIST, (names) => placesIn(names, chunk))) {
          if (!places.has(place.sha256)) places.set(place.sha256, place);
        }
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        this.damage ??= problem.message;
      }
    }
    return places;
  }
}

const unreadable = (sha256: string, why: string): Problem =>
  new Problem(`The payload ${sha256} cannot be read: ${why}`);

function placesIn(list: Uint8Array, chunk: ChunkPlace): readonly PayloadPlace[] {
  const input = new ByteReader(list, 'the list');
  const found: Omit<PayloadPlace, 'together'>[] = [];
  let at = 0;
  while (input.at < list.length) {
    const sha256 = hexadecimal(input.take(NAME_LENGTH));
    const length = input.varint();
    found.push({ sha256, length, chunk, at });
    at += length;
    if (at > LONGEST_PAYLOAD) throw contradiction(`a list of more than ${LONGEST_PAYLOAD} bytes of payloads`);
  }
  return found.map((place) => ({ ...place, together: at }));
}

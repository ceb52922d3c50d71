import * as z from 'zod';
import { ByteReader } from '../../base/byte-reader.ts';
import { Problem } from '../../base/problem.ts';
import { type EventKind, VOCABULARY } from '../../events/vocabulary.ts';
import type { FieldType } from '../../events/schema.ts';
import type { InputEvent, PendingInput } from '../../machine/parts.ts';
import { decodeTrailer, PREAMBLE_LENGTH, TRAILER_LENGTH } from './chunk.ts';
import { type CheckpointIdentity, PART, type PartPlace, unframed } from './checkpoint-format.ts';
import type { ByteSource, Inflate } from './opened.ts';
import { readPlain } from './plain-value.ts';
import { isDelivered } from './trace-inputs.ts';

/** What the last chunk of a file of checkpoints tells of the others. */
export interface CheckpointIndex {
  readonly identity: CheckpointIdentity;
  readonly inputs: readonly PendingInput[];
  readonly checkpoints: readonly PartPlace[];
  /** Where the chunks of pages lie, by number. */
  readonly pageChunks: readonly number[];
}

const WHOLE = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const PLACE = z.object({ offset: WHOLE, seq: WHOLE, tick: WHOLE });
const INDEX = z.object({
  identity: z.object({ trace: z.string(), program: z.string() }),
  inputs: z.array(z.object({ seq: WHOLE, tick: WHOLE, ns: z.number().min(0).optional(), event: z.unknown() })),
  checkpoints: z
    .array(PLACE)
    .refine((places) => places.every((place, at) => at === 0 || isAfter(places[at - 1]!, place))),
  pageChunks: z.array(WHOLE),
});

const isAfter = (before: PartPlace, { seq, tick, offset }: PartPlace): boolean =>
  tick > before.tick && seq >= before.seq && offset > before.offset;

/** The index of a file of checkpoints; undefined when it is not what a recorder writes. */
export function readIndex(source: ByteSource, inflate: Inflate): CheckpointIndex | undefined {
  const end = source.size - TRAILER_LENGTH;
  const offset = end < PREAMBLE_LENGTH ? undefined : decodeTrailer(source.read(end, TRAILER_LENGTH));
  if (offset === undefined) return undefined;
  const raw = unframed(source, inflate, offset, ({ kind }) => kind === PART.index);
  if (raw === undefined) return undefined;
  const { data } = INDEX.safeParse(plainOf(raw));
  if (data === undefined || !data.inputs.every(({ event }) => isInput(event))) return undefined;
  const inputs = data.inputs.map(({ ns, ...input }) => ({ ...input, ...(ns === undefined ? {} : { ns }) }));
  return { ...data, inputs: inputs as (Omit<PendingInput, 'event'> & { event: InputEvent })[] };
}

function plainOf(raw: Uint8Array): unknown {
  try {
    return readPlain(new ByteReader(raw, 'the index'));
  } catch (problem) {
    if (problem instanceof Problem) return undefined;
    throw problem;
  }
}

/** Whether a machine takes this as an event of its kind: every field is there and of its type. */
function isInput(value: unknown): boolean {
  const event = Object(value) as Readonly<Record<string, unknown>>;
  const { kind } = event;
  if (typeof kind !== 'string' || !Object.hasOwn(VOCABULARY, kind) || !isDelivered(kind)) return false;
  const fields = Object.entries(VOCABULARY[kind as EventKind].fields) as [string, FieldType][];
  return fields.every(([name, type]) => Object.hasOwn(event, name) && IS_OF[type](event[name]));
}

const IS_OF: Readonly<Record<FieldType, (value: unknown) => boolean>> = {
  u: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  i: (value) => Number.isSafeInteger(value),
  u64: (value) => typeof value === 'bigint' && BigInt.asUintN(64, value) === value,
  text: (value) => typeof value === 'string',
  bytes: (value) => value instanceof Uint8Array,
  packet: (value) => value instanceof Uint8Array,
  bool: (value) => typeof value === 'boolean',
};

import * as z from 'zod';
import { Problem, shortly } from '../../base/problem.ts';
import type { FieldType } from '../../events/schema.ts';
import { VOCABULARY } from '../../events/vocabulary.ts';

/** Bytes of an image kept in the header. */
const RECORDED_PART = z
  .object({
    at: z.number().int().min(0),
    bytes: z.base64(),
  })
  .readonly();

/** Whether a part lies inside its image: base64 holds three bytes in four letters. */
const isWithin = ({ at, bytes }: z.infer<typeof RECORDED_PART>, size: number): boolean =>
  at + Math.floor((bytes.replaceAll('=', '').length * 3) / 4) <= size;

/** A file whose bytes the run depends on, named by content. */
const IMAGE_IDENTITY = z
  .object({
    /** What it is used for: `bios`, `kernel`, `initrd`, `drive0`... */
    role: z.string(),
    name: z.string(),
    sha256: z.string(),
    bytes: z.number(),
    /** What of it decides anything but the content of guest memory: a rerun needs no more. Absent in older traces. */
    parts: z.array(RECORDED_PART).readonly().optional(),
  })
  .readonly()
  .refine(({ parts = [], bytes }) => parts.every((part) => isWithin(part, bytes)), 'a part lies outside its image');

/** A name that means nothing else to an object. */
const NAME = z
  .string()
  .regex(/^[A-Za-z_][\w:.-]*$/, 'is no name')
  .refine((name) => !(name in Object.prototype), 'is no name');

const FIELD_NAME = NAME.refine((name) => name !== 'kind', 'is no name of a field');

const has = (record: unknown, name: string): boolean => Object.hasOwn(Object(record), name);

/** A record by names. zod passes over `__proto__` without a word, and what comes after it would have another place. */
const named = <T extends z.ZodType>(name: typeof NAME, value: T) =>
  z
    .unknown()
    .refine((record) => !has(record, '__proto__'), '__proto__ is no name')
    .pipe(z.record(name, value));

/** Fields of every kind of event when the trace was recorded, in column order. */
const RECORDED_VOCABULARY = named(
  NAME,
  named(FIELD_NAME, z.enum(['u', 'i', 'u64', 'text', 'bytes', 'bool'] satisfies FieldType[])),
);

/** Where a forked run left the one it was made from. */
const PARENT = z.object({
  /** The parent's file as it was named. */
  trace: z.string(),
  /** Event and tick up to which both are the same. */
  at: z.string(),
  /** What was changed there. */
  set: z.string(),
});

/** What a trace says about itself. Everything a replay needs besides the images' bytes. */
const TRACE_HEADER = z
  .object({
    formatVersion: z.number(),
    engineVersion: z.string(),
    /** The machine's options as plain JSON; its meaning belongs to who builds the machine. */
    machine: z.record(z.string(), z.unknown()).readonly(),
    images: z.array(IMAGE_IDENTITY).readonly(),
    seed: z.string(),
    parent: PARENT.optional(),
    vocabulary: RECORDED_VOCABULARY,
  })
  .readonly();

export type RecordedVocabulary = Readonly<Record<string, Readonly<Record<string, FieldType>>>>;
export type Parent = Readonly<z.infer<typeof PARENT>>;
export type ImageIdentity = z.infer<typeof IMAGE_IDENTITY>;
export type TraceHeader = z.infer<typeof TRACE_HEADER>;

/** Today's vocabulary as a trace records it. */
export function currentVocabulary(): RecordedVocabulary {
  return Object.fromEntries(Object.entries(VOCABULARY).map(([kind, row]) => [kind, row.fields]));
}

/** Check a header that was read; `where` names the trace in the sentence. */
export function checkedHeader(value: unknown, where: string): TraceHeader {
  const parsed = TRACE_HEADER.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path = [], message = '' } = parsed.error.issues[0] ?? {};
  const place = path.length === 0 ? '' : `${shortly(path.join('.'))}: `;
  throw new Problem(`The header of ${where} is damaged: ${place}${message}.`);
}

import * as z from 'zod';
import { Problem, shortly } from '../../base/problem.ts';
import type { FieldType } from '../../events/schema.ts';
import { VOCABULARY } from '../../events/vocabulary.ts';

/** No image is larger than the address space below 4 GiB. */
const MOST_IMAGE_BYTES = 2 ** 32;

/** Far more than a recorder writes of each. */
const MOST = {
  /** Values in a header, one in another or one beside another. */
  values: 2 ** 16,
  depth: 16,
  /** Firmware, kernel, modules, and each file that a network serves. */
  images: 4096,
  parts: 16,
  kinds: 1024,
  fields: 64,
  name: 128,
  text: 2 ** 16,
} as const;

/** Bytes of an image kept in the header. */
const RECORDED_PART = z
  .object({
    at: z.number().int().min(0),
    bytes: z.base64(),
  })
  .readonly();

/** Whether a part lies inside its image: base64 holds three bytes in four letters. */
const liesWithin = ({ at, bytes }: z.infer<typeof RECORDED_PART>, size: number): boolean =>
  at + Math.floor((bytes.replaceAll('=', '').length * 3) / 4) <= size;

/** A file whose bytes the run depends on, named by content. */
const IMAGE_IDENTITY = z
  .object({
    /** What it is used for: `bios`, `kernel`, `initrd`, `module2`, `fw-cfg:opt/org.example/name`, `net:n0:tftp/x`... */
    role: z
      .string()
      .regex(/^([a-z][a-z\d-]{0,31}|fw-cfg:[!-~]{1,55}|net:[!-~]{1,300})$/, 'is no role')
      .refine((role) => !(role in Object.prototype), 'is no role'),
    name: z.string().max(MOST.text),
    sha256: z.string().regex(/^[\da-f]{64}$/, 'is no SHA-256'),
    bytes: z.number().int().min(0).max(MOST_IMAGE_BYTES),
    /** What of it decides anything but the content of guest memory: a rerun needs no more. Absent in older traces. */
    parts: z.array(RECORDED_PART).max(MOST.parts).readonly().optional(),
  })
  .readonly()
  .refine(({ parts = [], bytes }) => parts.every((part) => liesWithin(part, bytes)), 'a part lies outside its image');

/** A name that means nothing else to an object. */
const NAME = z
  .string()
  .max(MOST.name)
  .regex(/^[A-Za-z_][\w:.-]*$/, 'is no name')
  .refine((name) => !(name in Object.prototype), 'is no name');

const FIELD_NAME = NAME.refine((name) => name !== 'kind', 'is no name of a field');

const has = (record: unknown, name: string): boolean => Object.hasOwn(Object(record), name);

/** A record by names. zod passes over `__proto__` without a word, and what comes after it would have another place. */
const named = <T extends z.ZodType>(name: typeof NAME, value: T, most: number) =>
  z
    .unknown()
    .refine((record) => !has(record, '__proto__'), '__proto__ is no name')
    .refine((record) => Object.keys(Object(record)).length <= most, `has more than ${most} names`)
    .pipe(z.record(name, value));

/** Fields of every kind of event when the trace was recorded, in column order. */
const RECORDED_VOCABULARY = named(
  NAME,
  named(FIELD_NAME, z.enum(['u', 'i', 'u64', 'text', 'bytes', 'packet', 'bool'] satisfies FieldType[]), MOST.fields),
  MOST.kinds,
);

/** Where a forked run left the one it was made from. */
const PARENT = z.object({
  /** The parent's file as it was named. */
  trace: z.string().max(MOST.text),
  /** Event and tick up to which both are the same. */
  at: z.string().max(MOST.text),
  /** What was changed there. */
  set: z.string().max(MOST.text),
});

/** What a trace says about itself. Everything a replay needs besides the images' bytes. */
const TRACE_HEADER = z
  .object({
    formatVersion: z.number(),
    engineVersion: z.string().max(MOST.name),
    /** The machine's options as plain JSON; its meaning belongs to who builds the machine. */
    machine: z.record(z.string(), z.unknown()).readonly(),
    images: z.array(IMAGE_IDENTITY).max(MOST.images).readonly(),
    seed: z.string().max(MOST.text),
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

/** Whether a value is no deeper, and no more values, than a header can be: before anybody makes sentences of them. */
function isWithin(value: unknown, left: { values: number }, depth = 0): boolean {
  left.values -= 1;
  if (left.values < 0 || depth > MOST.depth) return false;
  if (typeof value !== 'object' || value === null) return true;
  for (const each of Object.values(value)) if (!isWithin(each, left, depth + 1)) return false;
  return true;
}

/** Check a header that is to be written. Throws a Problem where no reader would take it. */
export function checkWritten(header: TraceHeader): void {
  const { length } = header.images;
  if (length > MOST.images) {
    throw new Problem(`Cannot record a run of ${length} files: a trace names ${MOST.images} images at most.`);
  }
  if (!isWithin(header, { values: MOST.values })) {
    throw new Problem('Cannot record this run: its options and the files they name say more than a trace holds.');
  }
}

/** Check a header that was read; `where` names the trace in the sentence. */
export function checkedHeader(value: unknown, where: string): TraceHeader {
  if (!isWithin(value, { values: MOST.values })) {
    throw new Problem(
      `The header of ${where} is damaged: it holds more values, or deeper ones, than any recorder writes.`,
    );
  }
  const parsed = TRACE_HEADER.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const { path = [] } = issue ?? {};
  // What is wrong with a name lies in an issue of its own.
  const message = (issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message) ?? '';
  const place = path.length === 0 ? '' : `${shortly(path.join('.'))}: `;
  throw new Problem(`The header of ${where} is damaged: ${place}${message}.`);
}

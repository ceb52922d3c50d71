import { Problem } from '../../base/problem.ts';
import type { FieldType } from '../../events/schema.ts';
import { VOCABULARY } from '../../events/vocabulary.ts';

/** A file whose bytes the run depends on, named by content. */
export interface ImageIdentity {
  /** What it is used for: `bios`, `kernel`, `initrd`, `drive0`... */
  readonly role: string;
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  /** What of it decides anything but the content of guest memory: a rerun needs no more. Absent in older traces. */
  readonly parts?: readonly RecordedPart[];
}

/** Bytes of an image kept in the header. */
export interface RecordedPart {
  readonly at: number;
  /** Base64. */
  readonly bytes: string;
}

/** Fields of every kind of event when the trace was recorded, in column order. */
export type RecordedVocabulary = Readonly<Record<string, Readonly<Record<string, FieldType>>>>;

/** Where a forked run left the one it was made from. */
export interface Parent {
  /** The parent's file as it was named. */
  readonly trace: string;
  /** Event and tick up to which both are the same. */
  readonly at: string;
  /** What was changed there. */
  readonly set: string;
}

/** What a trace says about itself. Everything a replay needs besides the images' bytes. */
export interface TraceHeader {
  readonly formatVersion: number;
  readonly engineVersion: string;
  /** The machine's options as plain JSON; its meaning belongs to who builds the machine. */
  readonly machine: Readonly<Record<string, unknown>>;
  readonly images: readonly ImageIdentity[];
  readonly seed: string;
  readonly parent?: Parent;
  readonly vocabulary: RecordedVocabulary;
}

/** Today's vocabulary as a trace records it. */
export function currentVocabulary(): RecordedVocabulary {
  return Object.fromEntries(Object.entries(VOCABULARY).map(([kind, row]) => [kind, row.fields]));
}

const FIELD_TYPES: readonly string[] = ['u', 'i', 'u64', 'text', 'bytes', 'bool'];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Check a header that was read; `where` names the trace in the sentence. */
export function checkedHeader(value: unknown, where: string): TraceHeader {
  const wrong = (what: string): Problem => new Problem(`The header of ${where} is damaged: ${what}.`);
  if (!isObject(value)) throw wrong('it is not an object');
  const { formatVersion, engineVersion, machine, images, seed, vocabulary } = value;
  if (typeof formatVersion !== 'number') throw wrong('it has no format version');
  if (typeof engineVersion !== 'string') throw wrong('it has no engine version');
  if (!isObject(machine)) throw wrong('it has no machine configuration');
  if (typeof seed !== 'string') throw wrong('it has no seed');
  if (!Array.isArray(images) || !images.every(isImage)) throw wrong('its list of images is not one');
  const isTable = isObject(vocabulary) && Object.entries(vocabulary).every(isKind);
  if (!isTable) throw wrong('its event table is not one');
  return value as unknown as TraceHeader;
}

function isImage(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { role, name, sha256, bytes, parts = [] } = value;
  if (![role, name, sha256].every((text) => typeof text === 'string') || typeof bytes !== 'number') return false;
  return Array.isArray(parts) && parts.every((part) => isPartWithin(part, bytes));
}

/** A part lies inside its image: base64 holds three bytes in four letters. */
function isPartWithin(part: unknown, size: number): boolean {
  if (!isObject(part) || typeof part['at'] !== 'number' || typeof part['bytes'] !== 'string') return false;
  if (part['bytes'].length % 4 !== 0 || !BASE64.test(part['bytes'])) return false;
  return part['at'] >= 0 && part['at'] + Math.floor((part['bytes'].replaceAll('=', '').length * 3) / 4) <= size;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** A name that means nothing else to an object. */
const isName = (name: string): boolean => NAME.test(name) && !(name in Object.prototype);

const NAME = /^[A-Za-z_][\w:.-]*$/;

function isKind([kind, fields]: [string, unknown]): boolean {
  if (!isName(kind) || !isObject(fields)) return false;
  return Object.entries(fields).every(
    ([name, type]) => isName(name) && name !== 'kind' && FIELD_TYPES.includes(type as string),
  );
}

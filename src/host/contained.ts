/** Files that lie in another, which says in a manifest what they are. */
import type * as z from 'zod';
import { Problem, shortly } from '../base/problem.ts';
import type { OpenedFile } from '../runs/world.ts';

/** A file that lies in another; closing it closes that. */
export function partOf(
  file: OpenedFile,
  { offset, size }: { readonly offset: number; readonly size: number },
): OpenedFile {
  return {
    name: file.name,
    size,
    read: (at, length) => file.read(offset + at, Math.max(0, Math.min(length, size - at))),
    close: file.close,
  };
}

/**
 * Understand a manifest: JSON of a schema. `what`: what a sentence calls what it is in; `isNoJson`: what is wrong where
 * it is none, as a clause. Throws a Problem.
 */
export function readManifest<T>(
  schema: z.ZodType<T>,
  bytes: Uint8Array,
  { what, isNoJson }: { readonly what: string; readonly isNoJson: string },
): T {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Problem(`${what} is damaged: ${isNoJson}.`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path = [], message = '' } = parsed.error.issues[0] ?? {};
  throw new Problem(`${what} is damaged, or newer: ${shortly(path.join('.'))}: ${shortly(message)}.`);
}

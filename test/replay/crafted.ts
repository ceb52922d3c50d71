import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stamped } from '../../src/events/stamped.ts';
import { compress, openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../src/replay/trace/writer.ts';
import { droppableMachine } from '../engine/machines.ts';
import { hostileGuest } from '../sim/hostile-guest.ts';
import { type OpenChunk, resealed } from './resealed.ts';

type Json = Record<string, unknown>;

/** Record some hundred instructions of a guest. Returns the trace's path. */
export function recordSmall(folder: string, seed: string, ticks = 600, guest = hostileGuest(seed)): string {
  const path = join(folder, `${seed}.trace`);
  const kernel = join(folder, `${seed}.bin`);
  writeFileSync(kernel, guest);
  const { machine, close } = droppableMachine(['-kernel', kernel, '-m', '4'], seed, path);
  machine.advance({ tick: ticks, ns: 50e6 });
  close();
  return path;
}

/** The bytes of a trace of these events, with the header of another. */
export function traceOf(path: string, events?: readonly Stamped[]): Uint8Array {
  const from = openTraceFile(path);
  const { engineVersion, images, seed, machine } = from.header;
  const all = events ?? readAll(from).events;
  from.close();
  const pieces: Uint8Array[] = [];
  const sink = { append: (bytes: Uint8Array) => void pieces.push(bytes) };
  const writer = createTraceWriter(sink, compress, { engineVersion, images, seed, machine });
  for (const stamped of all) writer.append(stamped);
  writer.close();
  return Buffer.concat(pieces);
}

/** A chunk with another content, as long as its header says. */
export const holding = ({ header }: OpenChunk, content: Uint8Array): OpenChunk => ({
  header: { ...header, rawLength: content.length },
  content,
});

/** A trace whose header says something else. `change` may give text, where JSON would not be what is wanted. */
export const withHeader = (trace: Uint8Array, change: (header: Json) => Json | string): Uint8Array =>
  resealed(trace, ([head, ...rest]) => {
    const { content } = head as OpenChunk;
    const changed = change(JSON.parse(new TextDecoder().decode(content)) as Json);
    const text = typeof changed === 'string' ? changed : JSON.stringify(changed);
    return [holding(head as OpenChunk, new TextEncoder().encode(text)), ...rest];
  });

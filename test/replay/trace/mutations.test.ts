import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { casesOf } from '../../how-long.ts';
import { Problem } from '../../../src/base/problem.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { openTrace, readAll } from '../../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../../src/replay/trace/writer.ts';
import { chance, MUTATIONS } from './mutated.ts';

/** 2,000 with RETROVISOR_MUTATIONS=2000. */
const COUNT = casesOf('RETROVISOR_MUTATIONS', { whole: 300, quick: 100 });
const EVENTS = 20_000;

function recorded(): { readonly bytes: Uint8Array; readonly events: readonly Stamped[] } {
  const pieces: Uint8Array[] = [];
  const writer = createTraceWriter(
    { append: (bytes) => void pieces.push(bytes.slice()) },
    (raw) => deflateRawSync(raw, { level: 1 }),
    { engineVersion: '0', machine: {}, images: [], seed: '1' },
  );
  const draw = chance(7);
  const events: Stamped[] = [];
  for (let seq = 0; seq < EVENTS; seq += 1) {
    const event = { kind: 'sim:serial_sent', line: 0, byte: draw(256) } as const;
    const [cause, within] = seq === 0 ? [undefined, undefined] : [seq - 1, seq - (seq % 3) - 1];
    events.push({ seq, tick: seq * 3 + draw(3), source: 16, cause, within: within === -1 ? undefined : within, event });
  }
  for (const stamped of events) writer.append(stamped);
  writer.close();
  return { bytes: Buffer.concat(pieces), events };
}

const { bytes, events } = recorded();

/** What a reader makes of a mutated trace: a sentence, or the events up to the damage. */
function read(mutated: Uint8Array): { readonly sentence: string | undefined; readonly events: readonly Stamped[] } {
  const source = {
    name: 'mutated.trace',
    size: mutated.length,
    read: (offset: number, length: number) => mutated.subarray(offset, Math.min(mutated.length, offset + length)),
  };
  const inflate = (stored: Uint8Array, rawLength: number) => inflateRawSync(stored, { maxOutputLength: rawLength });
  try {
    const all = readAll(openTrace(source, inflate));
    return { sentence: all.damage, events: all.events };
  } catch (problem) {
    if (problem instanceof Problem) return { sentence: problem.message, events: [] };
    throw problem;
  }
}

const asText = (list: readonly Stamped[]): string => JSON.stringify(list);

describe('a trace that', () => {
  test.each(Object.entries(MUTATIONS))(
    '%s is read correctly up to the damage, or refused with a sentence',
    (_, mutate) => {
      const share = Math.ceil(COUNT / Object.keys(MUTATIONS).length);
      for (let seed = 1; seed <= share; seed += 1) {
        const mutated = mutate(bytes, chance(seed * 2_654_435_761));
        const found = read(mutated);
        const isPrefix = asText(found.events) === asText(events.slice(0, found.events.length));
        expect(isPrefix, `seed ${seed}: the events are those recorded, up to the damage`).toBe(true);
        if (found.events.length < events.length) expect(found.sentence, `seed ${seed}`).toMatch(/^[^\n]{10,300}\.?$/);
      }
    },
  );
});

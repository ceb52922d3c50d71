import { expect, test } from 'vitest';
import type { Checkpoint } from '../../../src/machine/checkpoint.ts';
import { PAGE_SIZE, type PageImage, ZERO_PAGE } from '../../../src/memory/pages.ts';
import { openCheckpoints } from '../../../src/replay/trace/checkpoint-reader.ts';
import { createCheckpointWriter } from '../../../src/replay/trace/checkpoint-writer.ts';
import { bareState, sourceOf } from './sample.ts';

const IDENTITY = { trace: 'a', program: 'b' };
const stored = (bytes: Uint8Array): Uint8Array => bytes;
const page = (byte: number) => new Uint8Array(PAGE_SIZE).fill(byte);
const at = (tick: number, pages: PageImage): Checkpoint => ({ seq: tick, tick, state: bareState(tick), pages });

/** A file with one checkpoint: a page of the second region has become what power-on left in the last of memory. */
function written(first: Checkpoint): Uint8Array {
  const pieces: Uint8Array[] = [];
  const sink = { append: (bytes: Uint8Array) => void pieces.push(bytes.slice()) };
  const writer = createCheckpointWriter(sink, stored, first);
  const last = first.pages[0]![0]!.at(-1)!;
  writer.add(at(1, [first.pages[0]!, [[last]]]));
  writer.close(IDENTITY, []);
  return Buffer.concat(pieces);
}

test('a checkpoint that names a page of a larger memory is passed by with a sentence', () => {
  const first = at(0, [[[page(1), page(2), page(3)]], [[ZERO_PAGE]]]);
  const smaller = at(0, [[[page(1), page(2)]], [[ZERO_PAGE]]]);
  const said: string[] = [];
  const open = () => openCheckpoints(sourceOf(written(first), 'a.ckpt'), stored, IDENTITY, (text) => said.push(text));
  expect(open().stored?.load(0, first)?.pages[1]).toEqual([[page(3)]]);
  expect(said).toEqual([]);
  expect(open().stored?.load(0, smaller)).toBeUndefined();
  expect(said).toEqual([expect.stringMatching(/^Pages in a\.ckpt are of a larger memory: .*retrovisor index/)]);
});

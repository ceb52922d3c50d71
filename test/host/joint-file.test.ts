import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { jointAt, traceSource } from '../../src/host/trace-source.ts';
import { createJoint } from '../../src/replay/trace/joint.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-joint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MANIFEST = {
  ...{ format: 'retrovisor-joint', version: 1 },
  machines: [{ name: 'alice' }, { name: 'bob' }],
  links: [],
};

/** A file into which two have written, in turns. */
function written(name: string, manifest: unknown = MANIFEST): { readonly path: string; readonly size: number } {
  const parts: Uint8Array[] = [];
  const sinks = createJoint({ append: (bytes) => void parts.push(bytes) }, Buffer.from(JSON.stringify(manifest)));
  const [alice, bob] = [sinks(1), sinks(2)];
  alice.append(Uint8Array.of(1, 2, 3));
  bob.append(Uint8Array.of(11));
  alice.append(Uint8Array.of(4, 5));
  bob.append(Uint8Array.of(12, 13, 14));
  const bytes = Buffer.concat(parts);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path, size: bytes.length };
}

const read = (path: string, offset = 0, length = 100): number[] => {
  const file = traceSource(path);
  const bytes = [...file.read(offset, length)];
  file.close();
  return bytes;
};

describe('a recording of several machines', () => {
  const { path } = written('net.trace');

  test('holds what each has written, one behind the other', () => {
    expect(read(`${path}:alice`)).toEqual([1, 2, 3, 4, 5]);
    expect(read(`${path}:bob`)).toEqual([11, 12, 13, 14]);
    expect(read(`${path}:alice`, 2, 2)).toEqual([3, 4]);
    expect(read(`${path}:bob`, 1, 1)).toEqual([12]);
    expect(read(`${path}:bob`, 9, 1)).toEqual([]);
    expect(jointAt(path)).toMatchObject({ machines: [{ name: 'alice' }, { name: 'bob' }] });
  });

  test('is asked for by machine', () => {
    expect(() => read(path)).toThrow(`holds 2 machines: say which, as ${path}:alice, ${path}:bob.`);
    expect(() => read(`${path}:eve`)).toThrow('holds no machine eve');
  });

  test('whose recorder was killed holds what had been written', () => {
    const { path: cut, size } = written('cut.trace');
    writeFileSync(cut, readFileSync(cut).subarray(0, size - 2));
    expect(read(`${cut}:bob`)).toEqual([11, 12]);
    writeFileSync(cut, readFileSync(cut).subarray(0, size - 6));
    expect(read(`${cut}:bob`)).toEqual([11]);
  });

  test('that says of itself what cannot be is refused', () => {
    const { path: bad } = written('bad.trace', { ...MANIFEST, machines: [{ name: '../etc' }] });
    expect(() => jointAt(bad)).toThrow(/damaged, or newer: machines.0.name: is no name of a machine/);
    const { path: astray } = written('astray.trace', {
      ...MANIFEST,
      links: [
        {
          ends: [
            { machine: 0, dev: 'a' },
            { machine: 2, dev: 'b' },
          ],
          latencyNs: 1,
        },
      ],
    });
    expect(() => jointAt(astray)).toThrow('a link leads to a machine that is not there');
    writeFileSync(
      bad,
      Buffer.concat([Uint8Array.of(0x89, 0x52, 0x54, 0x56, 0x4a, 0x0d, 0x0a, 0x1a, 9, 0, 0, 0, 0, 0, 0, 0)]),
    );
    expect(() => jointAt(bad)).toThrow('in format 9, of a newer Retrovisor');
    writeFileSync(bad, Uint8Array.of(0x89, 0x52, 0x54, 0x56, 0x4a, 0x0d, 0x0a, 0x1a, 1, 0, 0, 0, 0, 0, 0, 0));
    expect(() => jointAt(bad)).toThrow('it does not say which machines are in it');
  });
});

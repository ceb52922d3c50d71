import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { identities, loadImages, outlinedImages, recordedImages } from '../../src/runs/machine/images.ts';
import { NODE } from '../../src/host/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-images-'));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(at('beside'));
writeFileSync(at('kernel'), 'one');
writeFileSync(at('empty'), '');

const recorded = identities(NODE, loadImages(NODE, { kernel: at('kernel') }));
const find = (trace: string, path: string, given = {}) =>
  recordedImages(NODE, trace, recorded, { kernel: path }, given);

describe('the images of a trace', () => {
  test('are found where they were', () => {
    expect(find(at('x.trace'), at('kernel')).get('kernel')?.bytes.length).toBe(3);
  });

  test('are found beside the trace when they are gone from where they were', () => {
    expect(find(at('x.trace'), '/nowhere/kernel').get('kernel')?.path).toBe(at('kernel'));
  });

  test('are refused when their content has changed', () => {
    writeFileSync(at('beside/kernel'), 'two');
    expect(() => find(at('beside/x.trace'), at('beside/kernel'))).toThrow('is not the kernel this trace was recorded');
  });

  test('are looked for only where somebody says', () => {
    const elsewhere = { kernel: at('gone') };
    expect(() => find(at('x.trace'), at('kernel'), elsewhere)).toThrow('Name the right file with --kernel');
  });

  test('keep the name the guest saw: a base name, wherever they lie', () => {
    const elsewhere = find(at('x.trace'), at('gone'), { kernel: at('kernel') });
    expect(elsewhere.get('kernel')?.name).toBe('kernel');
  });
});

describe('images outlined from a trace alone', () => {
  test('have the size of the whole and the bytes a loader looks at', () => {
    const bytes = new Uint8Array(100_000).fill(7);
    writeFileSync(at('flat'), bytes);
    const image = outlinedImages(identities(NODE, loadImages(NODE, { kernel: at('flat'), initrd: at('flat') })));
    expect(image?.get('kernel')?.bytes.subarray(0, 8192)).toEqual(bytes.subarray(0, 8192));
    expect(image?.get('kernel')?.bytes[50_000]).toBe(0);
    expect(image?.get('initrd')?.bytes).toEqual(new Uint8Array(100_000));
  });

  test('are not there in a trace that kept none', () => {
    expect(outlinedImages(recorded.map(({ parts: _, ...older }) => older))).toBeUndefined();
  });
});

describe('images given to a run', () => {
  test('must hold something', () => {
    expect(() => loadImages(NODE, { bios: at('empty') })).toThrow('it is empty');
  });

  test('are named in the sentence when they are missing', () => {
    expect(() => loadImages(NODE, { initrd: at('none') })).toThrow(
      /Cannot read the initrd .*none: there is no such file\./,
    );
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { identities, loadImages, recordedImages } from '../../src/host/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-images-'));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(at('beside'));
writeFileSync(at('kernel'), 'one');
writeFileSync(at('empty'), '');

const recorded = identities(loadImages({ kernel: at('kernel') }));
const find = (trace: string, path: string, given = {}) => recordedImages(trace, recorded, { kernel: path }, given);

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

  test('keep the name the guest saw', () => {
    const elsewhere = find(at('x.trace'), at('gone'), { kernel: at('kernel') });
    expect(elsewhere.get('kernel')?.name).toBe(at('kernel'));
  });
});

describe('images given to a run', () => {
  test('must hold something', () => {
    expect(() => loadImages({ bios: at('empty') })).toThrow('it is empty');
  });

  test('are named in the sentence when they are missing', () => {
    expect(() => loadImages({ initrd: at('none') })).toThrow(/Cannot read the initrd .*none: there is no such file\./);
  });
});

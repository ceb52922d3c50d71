import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import {
  identities,
  type ImagePaths,
  loadImages,
  outlinedImages,
  recordedImages,
} from '../../src/runs/machine/images.ts';
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
    expect(() => find(at('x.trace'), at('kernel'), elsewhere)).toThrow(`it is not at ${at('gone')}`);
  });

  test('keep the name the guest saw: a base name, wherever they lie', () => {
    const elsewhere = find(at('x.trace'), at('gone'), { kernel: at('kernel') });
    expect(elsewhere.get('kernel')?.name).toBe('kernel');
  });
});

describe('images that have moved', () => {
  const roles = { kernel: at('moved-kernel'), initrd: at('moved-initrd') };
  writeFileSync(roles.kernel, 'the kernel');
  writeFileSync(roles.initrd, 'an initrd');
  const both = identities(NODE, loadImages(NODE, roles));
  rmSync(roles.kernel);
  rmSync(roles.initrd);
  mkdirSync(at('store'));
  writeFileSync(at('store/renamed'), 'the kernel');
  writeFileSync(at('store/other'), 'not kernel');
  writeFileSync(at('store/2'), 'an initrd');
  const sought = (access: ImagePaths = {}) => recordedImages(NODE, at('beside/x.trace'), both, roles, access);

  test('are all named at once, by size and content, with what to do', () => {
    const sizes =
      /^2 of 2 images of .*x\.trace are missing: the kernel moved-kernel \(10 bytes, sha256 [0-9a-f]{16}\.\.\.\)/;
    expect(sought).toThrow(sizes);
    expect(sought).toThrow(/the initrd moved-initrd \(9 bytes, .*RETROVISOR_IMAGES/);
  });

  test('are found by their content in folders and files that are named, and in those of the environment', () => {
    expect(sought({ image: [at('store')] }).get('kernel')?.path).toBe(at('store/renamed'));
    const files = sought({ image: [at('store/2'), at('store/renamed')] });
    expect(files.get('initrd')?.path).toBe(at('store/2'));
    vi.stubEnv('RETROVISOR_IMAGES', `/nowhere:${at('store')}`);
    expect(sought().get('initrd')?.path).toBe(at('store/2'));
    vi.unstubAllEnvs();
    expect(() => sought({ image: [at('nowhere')] })).toThrow('there is no such file');
  });

  test('are no pipe and no device, whatever a trace says', () => {
    spawnSync('mkfifo', [at('pipe')]);
    const named = (kernel: string) => recordedImages(NODE, at('beside/x.trace'), both.slice(0, 1), { kernel }, {});
    for (const path of [at('pipe'), '/dev/zero', '/proc/self/mem', at('store')]) {
      expect(() => named(path)).toThrow(`${path} is not the kernel this trace was recorded with`);
    }
    expect(() => sought({ kernel: at('pipe') })).toThrow('is not the kernel');
    expect(() => sought({ image: [at('pipe'), '/dev/zero'] })).toThrow('2 of 2 images');
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

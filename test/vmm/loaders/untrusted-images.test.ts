import { describe, expect, test } from 'vitest';
import { planLinux } from '../../../src/vmm/loaders/direct-linux.ts';
import { loaderParts } from '../../../src/vmm/loaders/loader-parts.ts';
import { multibootHeader, planMultiboot } from '../../../src/vmm/loaders/multiboot.ts';
import { ramLayout } from '../../../src/vmm/pc/ram-layout.ts';
import { readSymbols } from '../../../src/debugger/symbols/symbols.ts';
import { Problem } from '../../../src/base/problem.ts';
import { fakeBzImage, fakeMultiboot } from './kernels.ts';

const ram = ramLayout(64 * 2 ** 20);
const SENTENCE = /^[^\n]{10,300}$/;

/** Bytes with some of them otherwise. */
function changed(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  change(new DataView(copy.buffer));
  return copy;
}

/** What a loader says to a kernel, or what it would put where. */
function loaded(bytes: Uint8Array) {
  const kernel = { name: 'kernel', bytes };
  loaderParts(kernel);
  return multibootHeader(bytes) === undefined
    ? planLinux({ kernel, initrd: undefined, append: '', ram, rsdp: 0xf59d0 })
    : planMultiboot({ kernel, modules: [], append: '', ram });
}

/** Many program headers for one file: an entry of no size each, or each the whole file. */
function crowded(entrySize: number, count: number): Uint8Array {
  return changed(fakeMultiboot(8192, 8192), (view) => {
    view.setUint16(42, entrySize, true);
    view.setUint16(44, count, true);
  });
}

/** A file that says itself where it belongs. */
function addressed(fields: readonly number[], length = 64): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  [0x1badb002, 1 << 16, -(0x1badb002 + (1 << 16)) >>> 0, ...fields].forEach((word, at) => {
    if (4 * at + 4 <= length) view.setUint32(4 * at, word, true);
  });
  return bytes;
}

describe('a kernel that is not what it says', () => {
  test.each([
    ['an ELF file with headers of no size', crowded(0, 65_535), /65535 program headers/],
    ['an ELF file with one header again and again', crowded(0, 500), /program headers of 0 bytes/],
    ['an ELF file with headers beyond its end', crowded(0xffff, 500), /table of program headers.*does not lie within/],
    [
      'an ELF file with a part larger than memory',
      changed(fakeMultiboot(), (view) => view.setUint32(52 + 20, 0xffff_fff0, true)),
      /needs \d+ MiB of memory/,
    ],
    [
      'an ELF file with a part that is more in the file than in memory',
      changed(fakeMultiboot(), (view) => view.setUint32(52 + 20, 16, true)),
      /larger in the file than in memory/,
    ],
    [
      'an ELF file with a part beyond its end',
      changed(fakeMultiboot(), (view) => view.setUint32(52 + 4, 0xffff_ff00, true)),
      /a loadable part of 64 bytes does not lie within it/,
    ],
    ['a multiboot header that the end cuts', addressed([], 20), /a field of 4 bytes does not lie within it/],
    ['a multiboot kernel that ends before it begins', addressed([0x100000, 0x100000, 0x1000, 0, 0]), /truncated/],
    ['a bzImage that ends in its header', fakeBzImage().subarray(0, 0x206), /neither a Linux bzImage/],
    ['a bzImage of more setup than it has', fakeBzImage({ setupSects: 255 }).subarray(0, 2048), /truncated/],
  ])('%s gets a sentence', (_, bytes, sentence) => {
    let said = '';
    try {
      loaded(bytes);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      said = problem.message;
    }
    expect(said).toMatch(SENTENCE);
    expect(said).toMatch(sentence);
  });

  test('parts over one another are refused: each would be written', () => {
    const twice = changed(crowded(32, 2), (view) => {
      for (let word = 0; word < 8; word += 1) view.setUint32(84 + 4 * word, view.getUint32(52 + 4 * word, true), true);
    });
    expect(() => loaded(twice)).toThrow(/lie over one another/);
  });

  test('what a trace keeps of it is no more than headers', () => {
    const parts = loaderParts({ name: 'kernel', bytes: crowded(0xffff, 0xffff) });
    expect(parts.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(8192);
  });
});

describe('a file of symbols that is not what it says', () => {
  const elf = (change: (view: DataView) => void): Uint8Array =>
    changed(new Uint8Array(4096), (view) => {
      view.setUint32(0, 0x464c457f, true);
      view.setUint8(4, 2);
      view.setBigUint64(40, 64n, true);
      view.setUint16(58, 64, true);
      view.setUint16(60, 2, true);
      view.setUint32(64 + 4, 2, true);
      view.setBigUint64(64 + 24, 1024n, true);
      view.setBigUint64(64 + 32, 240n, true);
      change(view);
    });

  test.each([
    ['one table again and again', (view: DataView) => [view.setUint16(58, 0, true), view.setUint16(60, 0xffff, true)]],
    ['sections beyond its end', (view: DataView) => view.setBigUint64(40, 2n ** 60n, true)],
    ['a table larger than itself', (view: DataView) => view.setBigUint64(64 + 32, 2n ** 62n, true)],
    ['a table beyond its end', (view: DataView) => view.setBigUint64(64 + 24, 4000n, true)],
    ['nothing at all', () => undefined],
  ])('%s gets a sentence', (_, change) => {
    expect(() =>
      readSymbols(
        'odd.elf',
        elf((view) => void change(view)),
      ),
    ).toThrow(/^odd.elf [^\n]+\.$/);
  });
});

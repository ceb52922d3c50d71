import { describe, expect, test } from 'vitest';
import { checkedHeader, checkWritten, currentVocabulary } from '../../../src/replay/trace/header.ts';

const GOOD = {
  formatVersion: 2,
  engineVersion: '1',
  machine: { memory: 4 },
  images: [{ role: 'kernel', name: 'k', sha256: '00'.repeat(32), bytes: 4, parts: [{ at: 1, bytes: 'AAAA' }] }],
  seed: '0',
  vocabulary: currentVocabulary(),
};
const [image] = GOOD.images;

test('a header that holds is what it was', () => {
  expect(checkedHeader(GOOD, 'a.trace')).toEqual(GOOD);
});

describe('as many files as a network serves', () => {
  const named = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ ...image!, role: `net:n0:0/${at}`, parts: [] }));

  test('are recorded and read', () => {
    const header = { ...GOOD, images: named(4096) };
    checkWritten(header);
    expect(checkedHeader(header, 'a.trace').images).toHaveLength(4096);
  });

  test('are not recorded where nobody would read them', () => {
    const header = { ...GOOD, images: named(4097) };
    expect(() => checkWritten(header)).toThrow('Cannot record a run of 4097 files: a trace names 4096 images at most.');
    expect(() => checkedHeader(header, 'a.trace')).toThrow('images: ');
    const many = { ...GOOD, machine: { world: Array.from({ length: 70_000 }, () => 1) } };
    expect(() => checkWritten(many)).toThrow('say more than a trace holds');
    expect(() => checkedHeader(many, 'a.trace')).toThrow('more values');
  });
});

describe('a header that does not hold is refused by the place where it does not', () => {
  test.each([
    ['nothing', null, 'Invalid input'],
    ['a list', [], 'Invalid input'],
    ['no version', { ...GOOD, formatVersion: undefined }, 'formatVersion: '],
    ['a machine that is a list', { ...GOOD, machine: [] }, 'machine: '],
    ['an image without a digest', { ...GOOD, images: [{ ...image, sha256: 5 }] }, 'images.0.sha256: '],
    ['a part outside its image', { ...GOOD, images: [{ ...image, bytes: 3 }] }, 'images.0: a part lies outside'],
    [
      'a part at a fraction',
      { ...GOOD, images: [{ ...image, parts: [{ at: 0.5, bytes: '' }] }] },
      'images.0.parts.0.at',
    ],
    ['a parent without a place', { ...GOOD, parent: { trace: 'a', set: 'b' } }, 'parent.at: '],
    ['a kind that is no name', { ...GOOD, vocabulary: { 'a b': {} } }, 'vocabulary.a b: '],
    ['a kind called constructor', { ...GOOD, vocabulary: { constructor: {} } }, 'vocabulary.constructor: '],
    ['a kind called __proto__', { ...GOOD, vocabulary: JSON.parse('{"__proto__":{}}') }, 'vocabulary'],
    ['a field called kind', { ...GOOD, vocabulary: { a: { kind: 'u' } } }, 'vocabulary.a.kind: '],
    ['a field of no type', { ...GOOD, vocabulary: { a: { b: 'u128' } } }, 'vocabulary.a.b: '],
  ])('%s', (_name, header, place) => {
    expect(() => checkedHeader(header, 'a.trace')).toThrow(`The header of a.trace is damaged: ${place}`);
  });
});

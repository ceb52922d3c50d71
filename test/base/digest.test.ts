import { join } from 'node:path';
import { encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { xxHash32 } from 'js-xxhash';
import { lastValueFrom } from 'rxjs';
import { filter, toArray } from 'rxjs/operators';
import { describe, expect, test } from 'vitest';
import { type EventOf, openTrace, type Stamped, slicesOf } from '../../src/api/index.ts';
import { CborEncoder } from '../../src/base/cbor.ts';
import { digestOf } from '../../src/base/digest.ts';
import { xxh32 } from '../../src/base/xxh32.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

/** What an outsider's libraries make of a plain value. */
const outside = (value: unknown): Uint8Array =>
  encode(value, { ...rfc8949EncodeOptions, float64: true, ignoreUndefinedProperties: true });

const leaf = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.uint8Array({ maxLength: 30 }),
  fc.boolean(),
  fc.constant(null),
);
const { plain } = fc.letrec((tie) => ({
  plain: fc.oneof({ depthSize: 'medium' }, leaf, fc.array(tie('plain')), fc.dictionary(fc.string(), tie('plain'))),
}));

describe('digest', () => {
  test('XXH32 is what js-xxhash computes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), fc.integer(), (bytes, skip, seed) => {
        const some = bytes.subarray(skip);
        expect(xxh32(some, seed)).toBe(xxHash32(some.slice(), seed));
      }),
    );
  });

  test('XXH32 of a Buffer is that of its bytes, wherever it lies in memory', () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, at) => at);
    const whole = Buffer.from(new Uint8Array([...bytes, ...bytes]).buffer);
    for (let at = 0; at < 8; at += 1) {
      expect(xxh32(whole.subarray(at, at + 50), 0)).toBe(xxh32(bytes.slice(at, at + 50), 0));
    }
  });

  test('a plain value is encoded as cborg does by RFC 8949', () => {
    const encoder = new CborEncoder();
    fc.assert(
      fc.property(plain, (value) => {
        expect([...encoder.encode(value)]).toEqual([...outside(value)]);
      }),
    );
    const long = 'ü'.repeat(40_000);
    expect([...encoder.encode({ [long]: long })]).toEqual([...outside({ [long]: long })]);
  });

  test('the order in which fields were made and absent ones do not count, a value and a name do', () => {
    expect(digestOf({ a: 1, bb: { c: 2n, d: undefined } })).toBe(digestOf({ bb: { c: 2n }, a: 1 }));
    expect(digestOf({ a: 1, bb: 2 })).not.toBe(digestOf({ a: 2, bb: 1 }));
    expect(digestOf([undefined])).not.toBe(digestOf([]));
  });

  test('every digest in a trace comes out of its states by these libraries alone', async () => {
    const path = join(traceFolder(), 'tour.trace');
    recordTour(path, ['-smp', '2'], 300_000);
    const trace = openTrace(path);
    const recorded = await lastValueFrom(trace.events$.pipe(filter(isDigest), toArray()));
    for (const stamped of recorded) {
      const { state } = trace.at(stamped);
      const words = slicesOf(state.config).map(({ read }) => xxHash32(outside(read(state)), 0));
      expect(words).toEqual(wordsOf(stamped.event.slices));
    }
    expect(recorded.length).toBeGreaterThan(5);
    trace.close();
  });
});

type Digest = Stamped & { readonly event: EventOf<'sim:digest'> };

const isDigest = (stamped: Stamped): stamped is Digest => stamped.event.kind === 'sim:digest';

/** Four bytes each, the most significant first. */
function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index));
}

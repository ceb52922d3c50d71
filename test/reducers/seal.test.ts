import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { differenceOf, isSame, seal, thaw } from '../../src/reducers/seal.ts';

const leaf = fc.oneof(
  fc.integer(),
  fc.bigInt({ min: 0n, max: 2n ** 64n }),
  fc.string({ maxLength: 3 }),
  fc.boolean(),
  fc.constant(undefined),
);
const { state } = fc.letrec((tie) => ({
  state: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 3 }), tie('state')),
}));

describe('sealing', () => {
  test('gives a frozen value equal to the open one, whatever was sealed before', () => {
    fc.assert(
      fc.property(state, state, (before, after) => {
        const first = seal(undefined, before as object);
        const second = seal(first, after as object);
        expect(isSame(second, after)).toBe(true);
        expect(isSame(first, before)).toBe(true);
        expect(Object.isFrozen(second)).toBe(true);
        expect(digestOf(second)).toBe(digestOf(after));
      }),
    );
  });

  test('shares what did not change and returns the same value when nothing did', () => {
    const open = { kvm: { timers: [1, 2, 3], vcpu: { rip: 5n } }, vmm: { uart: { dlab: false } } };
    const first = seal(undefined, open);
    expect(seal(first, thaw(open))).toBe(first);
    open.kvm.vcpu.rip = 6n;
    const second = seal(first, open);
    expect(second.vmm).toBe(first.vmm);
    expect(second.kvm.timers).toBe(first.kvm.timers);
    expect(second.kvm.vcpu).toEqual({ rip: 6n });
    open.kvm.timers[0] = 9;
    expect(second.kvm.timers[0]).toBe(1);
  });

  test('a difference is named by its path', () => {
    expect(differenceOf({ a: { b: [1, 2] } }, { a: { b: [1, 3] } })).toBe('a.b.1');
    expect(differenceOf({ a: 1 }, { a: 1, b: undefined })).toBeUndefined();
  });
});

describe('a digest', () => {
  test('does not depend on the order in which keys were made', () => {
    expect(digestOf({ a: 1, b: { c: 2n, d: 'x' } })).toBe(digestOf({ b: { d: 'x', c: 2n }, a: 1 }));
  });

  test('tells unequal states apart', () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        expect(digestOf(a) === digestOf(b)).toBe(isSame(a, b));
      }),
    );
  });

  test('tells values of different types apart', () => {
    const values = [0, false, '', undefined, [], {}, 1, true, '1', [1], { 1: 1 }, -1, 0.5, 2 ** 40, 2n ** 63n];
    expect(new Set(values.map((value) => digestOf(value))).size).toBe(values.length);
    // CBOR has one kind of integer.
    expect(digestOf(2n ** 40n)).toBe(digestOf(2 ** 40));
  });
});

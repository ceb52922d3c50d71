import { describe, expect, test } from 'vitest';
import type { GuestEngine } from '../../src/engine/index.ts';
import { PLACE, putLong, runIn, SELECTOR } from './protected-mode.ts';

const GP = 13;
const UD = 6;
const VM = 0x20000n;
const TSS_32 = 0x8b;
const TSS_16 = 0x83;
const SMALLEST = 0x67;

interface Task {
  readonly limit: number;
  /** Offset of the permission map. */
  readonly map: number;
  /** Ports that are forbidden. */
  readonly forbidden?: readonly number[];
  readonly type?: number;
}

/** A task whose TSS allows every port but some. */
function putTask(engine: GuestEngine, { limit, map, forbidden = [], type = TSS_32 }: Task): void {
  putLong(engine, PLACE.tss + 4, 0xe000);
  putLong(engine, PLACE.tss + 8, SELECTOR.data);
  putLong(engine, PLACE.tss + 100, map << 16);
  for (const port of forbidden) {
    const at = PLACE.tss + map + (port >>> 3);
    engine.writeHost(at, Uint8Array.of(engine.readHost(at, 1)[0]! | (1 << (port & 7))));
  }
  engine.registers(0).setSegment(7, { selector: 0x40, base: BigInt(PLACE.tss), limit, access: type });
}

/** CPL 3, in virtual-8086 mode or 32-bit protected mode. */
function enterUser(engine: GuestEngine, mode: 'v8086' | 'protected', iopl: number): void {
  const r = engine.registers(0);
  if (mode === 'v8086') {
    const selector = PLACE.code >> 4;
    for (const s of [0, 1, 2, 3, 4, 5]) {
      r.setSegment(s, { selector, base: BigInt(PLACE.code), limit: 0xffff, access: 0xf3 });
    }
    r.setGpr(4, 0x1000n);
  } else {
    r.setSegment(1, { selector: SELECTOR.tested | 3, base: BigInt(PLACE.code), limit: 0xffff, access: 0xc0fb });
    for (const s of [0, 2, 3]) r.setSegment(s, { selector: 0x33, base: 0n, limit: 0xffffffff, access: 0xc0f3 });
  }
  r.rflags = 2n | (BigInt(iopl) << 12n) | (mode === 'v8086' ? VM : 0n);
}

/** IN and OUT of `size` bytes on DX, in the mode. */
function codes(mode: 'v8086' | 'protected', size: number): number[][] {
  const prefix = size === 1 || (size === 2) === (mode === 'v8086') ? [] : [0x66];
  return [
    [...prefix, size === 1 ? 0xec : 0xed],
    [...prefix, size === 1 ? 0xee : 0xef],
  ];
}

/** Whether both IN and OUT go through; they agree. */
function isAllowed(mode: 'v8086' | 'protected', iopl: number, task: Task, port: number, size: number): boolean {
  const allowed = codes(mode, size).map((code) => {
    // UD2 behind it: HLT is refused there.
    const came = runIn({ bits: 32, limit: 0xffff }, 0, [...code, 0x0f, 0x0b], (engine) => {
      putTask(engine, task);
      enterUser(engine, mode, iopl);
      engine.registers(0).setGpr(2, BigInt(port));
    });
    if (came.vector === UD) {
      expect(came.ip).toBe(code.length);
      return true;
    }
    expect([came.vector, came.error, came.ip]).toEqual([GP, 0, 0]);
    return false;
  });
  expect(allowed[0]).toBe(allowed[1]);
  return allowed[0]!;
}

const WHOLE: Task = { limit: SMALLEST + 1 + 0x2000, map: SMALLEST + 1 };
const IOPLS = [0, 1, 2, 3];

describe.each(['v8086', 'protected'] as const)('I/O permission at CPL 3: %s', (mode) => {
  /** In protected mode IOPL 3 is permission enough. */
  const checked = (iopl: number): boolean => mode === 'v8086' || iopl < 3;

  test('what the bitmap allows is allowed, whatever IOPL', () => {
    for (const iopl of IOPLS) {
      for (const port of [0, 7, 8, 0x80, 0x3f8, 0x7fff, 0x8000, 0xfff8]) {
        for (const size of [1, 2, 4])
          expect([port, size, isAllowed(mode, iopl, WHOLE, port, size)]).toEqual([port, size, true]);
      }
    }
  });

  test.each([1, 2, 4])('each of the %i bytes is asked for', (size) => {
    for (const iopl of IOPLS) {
      for (const port of [0x100, 0x101, 0x105, 0x106, 0x107]) {
        for (let at = -1; at <= size; at++) {
          const task = { ...WHOLE, forbidden: [port + at] };
          const isInside = at >= 0 && at < size;
          const expected = !checked(iopl) || !isInside;
          expect([iopl, port, at, isAllowed(mode, iopl, task, port, size)]).toEqual([iopl, port, at, expected]);
        }
      }
    }
  });

  test('two bytes of the map are read: both must lie in the TSS', () => {
    for (const size of [1, 2, 4]) {
      for (const last of [0, 1, 2, 0x10]) {
        // The map has bytes 0 to `last`.
        const task = { map: SMALLEST + 1, limit: SMALLEST + 1 + last };
        for (const port of [0, 1, 7, 8, 15, 16, 0x7f, 0x80]) {
          const expected = (port >>> 3) + 1 <= last;
          expect([size, last, port, isAllowed(mode, 0, task, port, size)]).toEqual([size, last, port, expected]);
        }
      }
    }
  });

  test('a map may lie within the first 104 bytes, and at any offset up to the limit', () => {
    for (const map of [0, 0x20, 0x60]) expect(isAllowed(mode, 0, { map, limit: SMALLEST }, 0x80, 1)).toBe(map < 0x57);
    expect(isAllowed(mode, 0, { map: 0xffff, limit: 0xffff }, 0, 1)).toBe(false);
    expect(isAllowed(mode, 0, { map: 0xfffe, limit: 0xffff }, 0, 1)).toBe(true);
    expect(isAllowed(mode, 0, { map: 0xf000, limit: 0x1_ffff }, 0xffff, 1)).toBe(true);
  });

  test('a 16-bit TSS and one that is too short have no map', () => {
    for (const iopl of IOPLS) {
      expect(isAllowed(mode, iopl, { ...WHOLE, limit: SMALLEST - 1 }, 0x80, 1)).toBe(!checked(iopl));
    }
    // Its stack lies elsewhere: SP and SS of level 0 at 2.
    const came = runIn({ bits: 32, limit: 0xffff }, 0, [0xec, 0x0f, 0x0b], (engine) => {
      putTask(engine, { ...WHOLE, type: TSS_16 });
      putLong(engine, PLACE.tss, 0xe000 << 16);
      putLong(engine, PLACE.tss + 4, SELECTOR.data);
      enterUser(engine, mode, 0);
    });
    expect(came.vector).toBe(GP);
  });
});

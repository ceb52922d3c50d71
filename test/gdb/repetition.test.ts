import { describe, expect, test } from 'vitest';
import { isMidway, isRepeatedString, repetitionAt } from '../../src/debugger/travel/repetition.ts';
import type { Registers } from '../../src/x86/guest.ts';

const AT = 0x1000n;

/** Registers as far as a repetition looks at them. */
function registers(rcx: bigint, rsi: bigint, rdi: bigint, rflags = 2n): Registers {
  const gprs = [0n, rcx, 0n, 0n, 0n, 0n, rsi, rdi];
  return { gpr: (index: number) => gprs[index] as bigint, rflags } as unknown as Registers;
}

describe('a repeated string instruction', () => {
  test.each([
    ['rep movsb', [0xf3, 0xa4], true],
    ['rep movsq', [0xf3, 0x48, 0xa5], true],
    ['repne scasb', [0xf2, 0xae], true],
    ['rep stosw with a prefix in front', [0x66, 0xf3, 0xab], true],
    ['rep insb', [0xf3, 0x6c], true],
    ['movsb', [0xa4], false],
    ['pause', [0xf3, 0x90], false],
    ['addss', [0xf3, 0x0f, 0x58, 0xc1], false],
    ['nothing', [], false],
  ])('%s is told by its bytes', (_, code, isOne) => {
    expect(isRepeatedString(Uint8Array.from(code))).toBe(isOne);
  });

  test('is in its middle when count and pointers have moved together, up or down', () => {
    const seen = repetitionAt(AT, registers(100n, 0x5000n, 0x6000n));
    expect(isMidway(AT, registers(60n, 0x5028n, 0x6028n), seen)).toBe(true);
    expect(isMidway(AT, registers(60n, 0x5000n + 320n, 0x6000n + 320n), seen)).toBe(true);
    expect(isMidway(AT, registers(60n, 0x5000n - 40n, 0x6000n - 40n), seen)).toBe(true);
    expect(isMidway(AT, registers(60n, 0x5000n, 0x6028n), seen)).toBe(true);
  });

  test('begins anew with the same registers, another count, other pointers or at another place', () => {
    const seen = repetitionAt(AT, registers(100n, 0x5000n, 0x6000n));
    expect(isMidway(AT, registers(100n, 0x5000n, 0x6000n), seen)).toBe(false);
    expect(isMidway(AT, registers(200n, 0x5064n, 0x6064n), seen)).toBe(false);
    expect(isMidway(AT, registers(60n, 0x5000n, 0x7000n), seen)).toBe(false);
    expect(isMidway(AT, registers(0n, 0x5064n, 0x6064n), seen)).toBe(false);
    expect(isMidway(AT + 2n, registers(60n, 0x5028n, 0x6028n), seen)).toBe(false);
  });

  test('goes on after a fault, which RF tells', () => {
    expect(isMidway(AT, registers(100n, 0n, 0n, 0x10002n), undefined)).toBe(true);
    expect(isMidway(AT, registers(100n, 0n, 0n), undefined)).toBe(false);
  });
});

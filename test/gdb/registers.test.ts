import { describe, expect, test } from 'vitest';
import { allRegistersHex, registerHex, REGISTERS, registerView } from '../../src/gdb/registers.ts';
import { TARGET_XML } from '../../src/gdb/target-description.ts';
import type { Registers } from '../../src/x86/guest.ts';

const offsetOf = (name: string): number => {
  const end = REGISTERS.findIndex((row) => row.name === name);
  return REGISTERS.slice(0, end).reduce((sum, { bits }) => sum + bits / 8, 0);
};

function registersWith(area: Uint8Array): Registers {
  return {
    gpr: (index: number) => BigInt(index) + 0x100n,
    rip: 0xffff_ffff_8100_0000n,
    rflags: 0x246n,
    segment: (index: number) => ({ selector: 8 * index, base: 0n, limit: 0, access: 0xa09b }),
    msr: (index: number) => BigInt(index),
    xsave: () => area,
    cr0: 1n,
    cr2: 2n,
    cr3: 3n,
    cr4: 4n,
    cr8: 8,
    efer: 0x500n,
    gdtr: { base: 5n, limit: 0 },
    idtr: { base: 6n, limit: 0 },
  } as unknown as Registers;
}

const moment = { seq: 10, tick: 20, ns: 30 };

describe('the registers gdb sees', () => {
  test.each([
    ['rax', 0],
    ['rdx', 24],
    ['r15', 120],
    ['rip', 128],
    ['eflags', 136],
    ['cs', 140],
    ['gs', 160],
    ['st0', 164],
    ['fctrl', 244],
    ['xmm0', 276],
    ['mxcsr', 532],
    ['fs_base', 536],
    ['gs_base', 544],
    ['k_gs_base', 552],
  ])('%s lies at byte %d of the g packet', (name, offset) => {
    expect(offsetOf(name)).toBe(offset);
  });

  test('are described by target.xml in the same order and widths', () => {
    const described = [...TARGET_XML.matchAll(/<reg name="(\w+)" bitsize="(\d+)"/g)].map(([, name, bits]) => [
      name,
      Number(bits),
    ]);
    expect(described).toEqual(REGISTERS.map(({ name, bits }) => [name, bits]));
    const used = new Set([...TARGET_XML.matchAll(/type="(x86_\w+|vec128)"/g)].map(([, type]) => type));
    for (const type of used) expect(TARGET_XML).toMatch(new RegExp(`<(flags|union) id="${type}"`));
  });

  test('are little-endian, and rcx comes before rdx', () => {
    const view = registerView(registersWith(new Uint8Array(576)), moment);
    const text = allRegistersHex(view);
    expect(text).toHaveLength(REGISTERS.reduce((sum, { bits }) => sum + bits / 4, 0));
    expect(text.slice(32, 64)).toBe('01010000000000000201000000000000');
    expect(registerHex(view, 16)).toBe('00000081ffffffff');
    expect(
      registerHex(
        view,
        REGISTERS.findIndex(({ name }) => name === 'icount'),
      ),
    ).toBe('1400000000000000');
    expect(registerHex(view, REGISTERS.length)).toBeUndefined();
  });

  test('show the tag word of the x87 unit in full', () => {
    const area = new Uint8Array(576);
    const bytes = new DataView(area.buffer);
    // TOP 6: ST0 is register 6 (1.0), ST1 register 7 (0.0). The others are empty.
    bytes.setUint16(2, 6 << 11, true);
    bytes.setUint8(4, 0b1100_0000);
    bytes.setBigUint64(32, 1n << 63n, true);
    bytes.setUint16(40, 0x3fff, true);
    const view = registerView(registersWith(area), moment);
    expect(
      registerHex(
        view,
        REGISTERS.findIndex(({ name }) => name === 'ftag'),
      ),
    ).toBe('ff4f0000');
  });
});

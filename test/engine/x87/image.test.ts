import { describe, expect, it } from 'vitest';
import { executeX87, x87Pending } from '../../../src/engine/x87/execute.ts';
import { putX87Region, resetX87, takeX87Region, x87InUse } from '../../../src/engine/x87/fxsave.ts';
import { emms, enterMmx, readMmx, writeMmx } from '../../../src/engine/x87/mmx.ts';
import { X87_DONE, X87_ERROR, X87_UNDEFINED } from '../../../src/engine/x87/unit.ts';
import { createUnit } from './case.ts';

const FLDPI = [0xd9, 0xeb] as const;
const FLDZ = [0xd9, 0xee] as const;
const FNSTENV = [0xd9, 0x37] as const;
/** FDIV m32: divides by what the operand holds. */
const FDIV = [0xd8, 0x37] as const;

describe('x87 images', () => {
  it('FXRSTOR undoes FXSAVE, and only empty or not survives of the tags', () => {
    const { unit } = createUnit();
    executeX87(unit, ...FLDPI);
    executeX87(unit, ...FLDZ);
    const image = new DataView(new ArrayBuffer(512));
    putX87Region(unit, image, true);
    expect(image.getUint8(4)).toBe(0b1100_0000);
    expect(image.getUint16(2, true)).toBe(0x3000);
    expect(image.getBigUint64(8, true)).toBe(0x1_2345n);
    const other = createUnit().unit;
    takeX87Region(other, image, true);
    expect([other.fsw, other.ftw, other.fcw]).toEqual([0x3000, 0x0fff, 0x37f]);
    expect(other.significand(7)).toBe(0xc90f_daa2_2168_c235n);
  });

  it('a reset unit is in its initial configuration, one with a number in a register is not', () => {
    const { unit } = createUnit();
    resetX87(unit);
    expect(x87InUse(unit)).toBe(false);
    executeX87(unit, ...FLDPI);
    expect(x87InUse(unit)).toBe(true);
  });

  it('16-bit real-address FNSTENV packs linear addresses of 20 bits', () => {
    const { unit, operand } = createUnit(true, true);
    executeX87(unit, 0xd9, 0x07);
    executeX87(unit, ...FNSTENV);
    const words = [...new Uint16Array(operand.buffer, 0, 7)];
    // FIP = 1000:12345 -> 22345; FDP = 2000:6789 -> 26789.
    expect(words.slice(3)).toEqual([0x2345, 0x2000, 0x6789, 0x2000]);
  });

  it('32-bit real-address FNSTENV spreads linear addresses over bits 27:12', () => {
    const { unit, operand } = createUnit(false, true);
    executeX87(unit, 0xd9, 0x07);
    executeX87(unit, ...FNSTENV);
    const words = [...new Uint32Array(operand.buffer, 0, 7)];
    expect(words.slice(3)).toEqual([0xffff_2345, 0x2000, 0xffff_6789, 0x2000]);
  });

  it('an unmasked exception waits for the next waiting instruction and is not raised by FNSTSW', () => {
    const { unit } = createUnit();
    unit.fcw = 0x37b;
    executeX87(unit, 0xd9, 0xe8);
    expect(executeX87(unit, ...FDIV)).toBe(X87_DONE);
    expect(x87Pending(unit)).toBe(true);
    expect(unit.fsw & 0x80ff).toBe(0x8084);
    expect(unit.fop).toBe(0x037 & 0x7ff);
    expect(executeX87(unit, ...FLDPI)).toBe(X87_ERROR);
    expect(executeX87(unit, 0xdf, 0xe0)).toBe(X87_DONE);
    expect(executeX87(unit, 0xdb, 0xe2)).toBe(X87_DONE);
    expect(x87Pending(unit)).toBe(false);
    expect(executeX87(unit, 0xd9, 0xd1)).toBe(X87_UNDEFINED);
  });

  it('MMX registers are the significands, make all tags valid and TOP 0, and EMMS empties them', () => {
    const { unit } = createUnit();
    executeX87(unit, ...FLDPI);
    enterMmx(unit);
    writeMmx(unit, 3, 0x1234n);
    expect([readMmx(unit, 3), unit.signExponent(3), unit.ftw, unit.fsw & 0x3800]).toEqual([0x1234n, 0xffff, 0, 0]);
    emms(unit);
    expect(unit.ftw).toBe(0xffff);
  });

  it('a store that faults leaves register stack and status alone', () => {
    const { unit } = createUnit();
    executeX87(unit, ...FLDPI);
    const before = [unit.fsw, unit.ftw];
    unit.store = (): never => {
      throw new Error('page fault');
    };
    expect(() => executeX87(unit, 0xd9, 0x1f)).toThrow('page fault');
    expect([unit.fsw, unit.ftw]).toEqual(before);
  });
});

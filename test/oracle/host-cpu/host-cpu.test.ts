import { afterAll, describe, expect, test } from 'vitest';
import { chanceOf } from './campaign.ts';
import { forms } from './catalog.ts';
import { undefinedFlags } from './compare.ts';
import { decode } from './encode.ts';
import { generate } from './generate.ts';
import { stepAside, without } from '../../stepping-aside.ts';
import { type HostCpu, isHost, openHostCpu } from './host.ts';
import { type Bitness, CaseRecord, INT3 } from './record.ts';

const opened = openHostCpu();
afterAll(() => isHost(opened) && opened.close());

describe('the host-CPU oracle', without(isHost(opened) ? undefined : opened), () => {
  const host = opened as HostCpu;
  /** Nothing is expected of a host that gets this mode, or its faults, wrong. */
  const relyOn = (bitness: Bitness, vector = INT3): void => {
    const different = host.areas.ofFault(vector, bitness);
    if (different !== undefined) stepAside(different);
  };

  const caseOf = (code: readonly number[], prepare?: (record: CaseRecord) => void): CaseRecord => {
    const record = new CaseRecord();
    record.setCode(Uint8Array.from(code), 64);
    record.rflags = 0x202;
    record.setGpr(4, 0x201000n);
    new DataView(record.fx.buffer, record.fx.byteOffset).setUint16(0, 0x37f, true);
    new DataView(record.fx.buffer, record.fx.byteOffset).setUint32(24, 0x1f80, true);
    prepare?.(record);
    return record;
  };

  test('runs one instruction and brings registers, flags and memory back', () => {
    relyOn(64);
    const add = caseOf([0x48, 0x01, 0xd8], (r) => {
      r.setGpr(0, 0xffffffffffffffffn);
      r.setGpr(3, 1n);
    });
    const after = host.run([add])[0]!;
    expect(after.vector).toBe(INT3);
    expect(after.gpr(0)).toBe(0n);
    expect(after.rflags & 0x8d5).toBe(0x55);
    expect(after.rip).toBe(0x300803n);
  });

  test('reports a fault with its vector, error code and address', () => {
    relyOn(64, 14);
    const store = caseOf([0x88, 0x03], (r) => r.setGpr(3, 0x400000n));
    const after = host.run([store])[0]!;
    expect([after.vector, after.errorCode, after.cr2]).toEqual([14, 6, 0x400000n]);
  });

  test('ends a case that would never end', () => {
    relyOn(64);
    const after = host.run([caseOf([0xeb, 0xfe])])[0]!;
    expect(after.vector).toBe(255);
  });

  test.each([64, 32, 16] as const)(
    'makes cases of hundreds of forms in %d-bit mode, and equal seeds equal cases',
    (bitness) => {
      relyOn(bitness);
      const make = () => {
        const chance = chanceOf('forms');
        return forms(bitness).flatMap((form) => generate(form, bitness, chance) ?? []);
      };
      const cases = make();
      expect(cases.length).toBeGreaterThan(850);
      expect(Buffer.from(make()[500]!.bytes)).toEqual(Buffer.from(cases[500]!.bytes));
      const vectors = host.run(cases).map(({ vector }) => vector);
      expect(vectors.filter((vector) => vector === INT3).length / cases.length).toBeGreaterThan(0.9);
      expect(new Set(vectors)).not.toContain(255);
    },
  );

  test('knows that a shift by zero leaves every flag defined, and one by two leaves OF and AF open', () => {
    const shift = decode(Uint8Array.of(0xd3, 0xe0), 64);
    expect(undefinedFlags(shift, caseOf([0xd3, 0xe0]))).toBe(0);
    expect(
      undefinedFlags(
        shift,
        caseOf([0xd3, 0xe0], (r) => r.setGpr(1, 2n)),
      ),
    ).toBe(0x810);
  });
});

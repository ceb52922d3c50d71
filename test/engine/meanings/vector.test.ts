import { afterAll, describe, expect, test } from 'vitest';
import { ASSISTS } from '../../../src/engine/assists/index.ts';
import { decodeInstruction } from '../../../src/engine/code/instruction.ts';
import { select } from '../../../src/engine/code/select.ts';
import { buildHandlers, slotsOf } from '../../../src/engine/meanings/handlers.ts';
import { campaign, chanceOf } from '../../oracle/host-cpu/campaign.ts';
import { type Form, forms, isShared } from '../../oracle/host-cpu/catalog.ts';
import { encode } from '../../oracle/host-cpu/encode.ts';
import { isHost, openHostCpu } from '../../oracle/host-cpu/host.ts';
import { ourCpu } from '../../oracle/host-cpu/ours.ts';
import { CaseRecord, FXSAVE, INT3, WINDOW_BASE } from '../../oracle/host-cpu/record.ts';
import { freshEngine } from '../../oracle/host-cpu/run.ts';
import { casesOf } from '../../how-long.ts';
import { noteAside, without } from '../../stepping-aside.ts';

const VECTOR_FORM = /\bx?mm(\d|\b|\/)|^(EMMS|LDMXCSR|STMXCSR|MOVNTI)\b/;
const vectorForms = (bitness: 32 | 64): Form[] =>
  forms(bitness).filter((form) => !form.vex && VECTOR_FORM.test(form.text));

/** Code modes as the decoder sees them: 64-bit, and flat 32-bit. */
const MODES = { 64: 2, 32: 0xfd } as const;
/** Same 32-bit mode with segments that must be checked. */
const CHECKED_32 = 1;

const UD = 6;
const NM = 7;
const GP = 13;
const MF = 16;
const XM = 19;

describe('the tables of vector instructions', () => {
  test.each([
    [64, MODES[64]],
    [32, MODES[32]],
    [32, CHECKED_32],
  ] as const)('have a handler or an assist for every MMX and SSE form in %d-bit code of mode %d', (bitness, mode) => {
    const slots = slotsOf(new WebAssembly.Module(buildHandlers() as BufferSource));
    const chance = chanceOf('tables');
    const missing = vectorForms(bitness).flatMap((form) =>
      Array.from({ length: 8 }, () => encode(form, bitness, chance)).flatMap((encoded) => {
        if (encoded === undefined) return [];
        encoded.instruction.free();
        if (!isShared(encoded.code, bitness)) return [];
        const d = decodeInstruction(encoded.code, bitness, 0n);
        if (typeof d === 'string') return [];
        const choice = select(d, mode);
        if ('key' in choice) return slots.has(choice.key) ? [] : [choice.key];
        return ASSISTS.has(choice.assist) ? [] : [choice.assist];
      }),
    );
    expect([...new Set(missing)]).toEqual([]);
  });
});

describe('vector instructions raise what the manual says', () => {
  const DEFAULT_CONTROL = 0x1f80;
  const code = (...bytes: number[]): CaseRecord => {
    const record = new CaseRecord();
    record.setCode(Uint8Array.from(bytes), 64);
    record.rflags = 0x202;
    const image = new DataView(record.fx.buffer, record.fx.byteOffset);
    image.setUint16(FXSAVE.fcw, 0x37f, true);
    image.setUint32(FXSAVE.mxcsr, DEFAULT_CONTROL, true);
    record.setGpr(3, BigInt(WINDOW_BASE));
    return record;
  };
  const addps = [0x0f, 0x58, 0xc1];
  const paddb = [0x0f, 0xfc, 0xc1];

  const vectorWith = (record: CaseRecord, change: { cr0?: bigint; cr4?: bigint } = {}): number => {
    const guest = freshEngine();
    const cpu = ourCpu(guest);
    const registers = guest.registers(0);
    registers.cr0 ^= change.cr0 ?? 0n;
    registers.cr4 ^= change.cr4 ?? 0n;
    return cpu.run(record).vector;
  };
  const EM = 4n;
  const TS = 8n;
  const OSFXSR = 0x200n;
  const OSXMMEXCPT = 0x400n;

  test('SSE and MMX run when CR0 and CR4 allow them', () => {
    expect([vectorWith(code(...addps)), vectorWith(code(...paddb))]).toEqual([INT3, INT3]);
  });

  test('CR0.TS is #NM for both, CR0.EM is #UD for both', () => {
    expect([vectorWith(code(...addps), { cr0: TS }), vectorWith(code(...paddb), { cr0: TS })]).toEqual([NM, NM]);
    expect([vectorWith(code(...addps), { cr0: EM }), vectorWith(code(...paddb), { cr0: EM })]).toEqual([UD, UD]);
    expect(vectorWith(code(...addps), { cr0: EM | TS })).toBe(UD);
  });

  test('CR4.OSFXSR clear is #UD for SSE and nothing to MMX', () => {
    expect(vectorWith(code(...addps), { cr4: OSFXSR })).toBe(UD);
    expect(vectorWith(code(...paddb), { cr4: OSFXSR })).toBe(INT3);
  });

  test('an unmasked exception is #XM, or #UD when CR4.OSXMMEXCPT is clear', () => {
    const divideByZero = code(0x0f, 0x5e, 0xc1);
    const image = new DataView(divideByZero.fx.buffer, divideByZero.fx.byteOffset);
    image.setUint32(FXSAVE.mxcsr, DEFAULT_CONTROL & ~0x200, true);
    for (let i = 0; i < 4; i++) image.setUint32(FXSAVE.xmm + 4 * i, 0x3f800000, true);
    expect(vectorWith(divideByZero)).toBe(XM);
    expect(vectorWith(divideByZero, { cr4: OSXMMEXCPT })).toBe(UD);
  });

  test('a waiting x87 exception comes before an MMX instruction', () => {
    const record = code(...paddb);
    const image = new DataView(record.fx.buffer, record.fx.byteOffset);
    image.setUint16(FXSAVE.fcw, 0x37e, true);
    image.setUint16(FXSAVE.fsw, 0x8081, true);
    expect(vectorWith(record)).toBe(MF);
  });

  test('an unaligned 128-bit operand is #GP for MOVAPS and nothing to MOVUPS', () => {
    expect(vectorWith(code(0x0f, 0x28, 0x43, 0x01))).toBe(GP);
    expect(vectorWith(code(0x0f, 0x10, 0x43, 0x01))).toBe(INT3);
  });

  test('reserved bits of MXCSR are #GP', () => {
    const record = code(0x0f, 0xae, 0x13);
    record.window[2] = 1;
    expect(vectorWith(record)).toBe(GP);
  });
});

const host = openHostCpu();
afterAll(() => isHost(host) && host.close());
const CASES = casesOf('VECTOR_CASES', { whole: 1000, quick: 120 });

describe('vector instructions agree with the host processor', without(isHost(host) ? undefined : host), () => {
  test.each([
    ['moves', /^(L?MOV|LDDQU|MASKMOV|LDMXCSR|STMXCSR).*mm/i],
    ['integer arithmetic', /^P(?!CMP.STR|SHUF|UNPCK|ACK|INSR|EXTR|MOV|BLEND|ALIGNR).*mm/i],
    ['shuffles', /^(P(SHUF|UNPCK|ACK|INSR|EXTR|MOV|BLEND|ALIGNR)|UNPCK|SHUFP|BLEND|INSERTPS|EXTRACTPS).*mm/i],
    ['scalar floating point', /^(ADD|SUB|MUL|DIV|SQRT|MIN|MAX|CMP|U?COMI|ROUND)S[SD] .*mm/i],
    ['packed floating point', /^(ADD|SUB|MUL|DIV|SQRT|MIN|MAX|CMP|ROUND|HADD|HSUB|ADDSUB|DP)P[SD] .*mm/i],
    ['conversions', /^CVT.*mm/i],
    ['text comparison, MPSADBW and EMMS', /^(PCMP.STR|MPSADBW|EMMS)/i],
  ] as const)('in %s, flags, MXCSR and faults included', (name, only) => {
    if (!isHost(host)) return;
    for (const bitness of [64, 32] as const) {
      const findings = campaign({ seed: name, cases: CASES / 2, bitness, only }, freshEngine(), host);
      noteAside(...findings.asides);
      if (findings.asides.length === 0) expect(findings.cases).toBeGreaterThan(CASES / 4);
      expect(findings.reports).toEqual([]);
    }
  });
});

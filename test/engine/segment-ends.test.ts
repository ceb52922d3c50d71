import { describe, expect, test } from 'vitest';
import type { GuestEngine } from '../../src/engine/index.ts';
import { HLT_EXITS, putFlatSegments, putQuad, SLOT_BYTES } from './long-mode.ts';
import { endedInHlt, type Subject, undisturbed } from './side-by-side.ts';

const [RAX, RBX] = [0, 3];

describe('where the code segment ends', () => {
  const START = 0x7000;
  const GP_HANDLER = 0x6000;

  /** 32-bit code in a segment with this limit; #GP comes to a HLT. */
  const bounded = (code: readonly number[], limit: number): Subject => ({
    hostBytes: SLOT_BYTES,
    ticks: 100,
    controls: HLT_EXITS,
    prepare(engine) {
      putQuad(engine, 0x1008, 0x00cf9b000000ffffn);
      putQuad(engine, 0x2000 + 8 * 13, BigInt(GP_HANDLER) | (8n << 16n) | (0x8en << 40n));
      engine.writeHost(GP_HANDLER, Uint8Array.of(0xf4));
      engine.writeHost(START, Uint8Array.from(code));
      const r = engine.registers(0);
      r.gdtr = { base: 0x1000n, limit: 0x17 };
      r.idtr = { base: 0x2000n, limit: 0x7ff };
      putFlatSegments(engine, 0, limit);
      r.cr0 = 0x33n;
      r.setGpr(4, 0x5000n);
      r.rip = BigInt(START);
    },
  });
  const INC_EAX = 0x40;

  test.each([
    ['within a page', START + 9],
    ['with a page', START + 0xfff],
  ])('no instruction beyond it is executed: %s', (_, limit) => {
    const code = new Array<number>(0x1020).fill(INC_EAX);
    const subject = bounded(code, limit);
    const prepare = (engine: GuestEngine): void => {
      subject.prepare(engine);
      engine.registers(0).rip = BigInt(limit - 7);
    };
    const whole = undisturbed({ ...subject, prepare });
    expect(endedInHlt(whole)).toBe(true);
    expect(whole.registers[RAX]).toBe(8n);
  });

  test('nor one that crosses it', () => {
    const whole = undisturbed(bounded([INC_EAX, 0xb8, 0x34, 0x12, 0x00, 0x00, 0xf4], START + 4));
    expect(endedInHlt(whole)).toBe(true);
    expect(whole.registers[RAX]).toBe(1n);
  });

  test('a branch beyond it in the same page is found', () => {
    // JNZ over six instructions; what lies there is decoded with them.
    const code = [INC_EAX, INC_EAX, 0x75, 0x06, ...new Array<number>(6).fill(INC_EAX), 0x4b, 0xf4];
    const whole = undisturbed(bounded(code, START + 8));
    expect(endedInHlt(whole)).toBe(true);
    expect([whole.registers[RAX], whole.registers[RBX]]).toEqual([2n, 0n]);
  });
});

test('FS with a base is not flat from the next instruction on', () => {
  const code = [
    0xb9,
    0x00,
    0x01,
    0x00,
    0xc0, // mov ecx,FS_BASE
    0xb8,
    0x00,
    0x20,
    0x00,
    0x00, // mov eax,0x2000
    0x31,
    0xd2, // xor edx,edx
    0x0f,
    0x30, // wrmsr
    0x64,
    0x8b,
    0x1d,
    0x10,
    0xf0,
    0xff,
    0xff, // mov ebx,fs:[0xfffff010]
    0xf4, // hlt
  ];
  const whole = undisturbed({
    hostBytes: SLOT_BYTES,
    ticks: 20,
    // RDMSR and WRMSR go by the bitmaps, which are clear.
    controls: { ...HLT_EXITS, primary: HLT_EXITS.primary | (1 << 28) },
    prepare(engine) {
      putQuad(engine, 0x1010, 0x77n);
      engine.writeHost(0x7000, Uint8Array.from(code));
      const r = engine.registers(0);
      putFlatSegments(engine);
      r.cr0 = 0x33n;
      r.rip = 0x7000n;
    },
  });
  expect(endedInHlt(whole)).toBe(true);
  expect(whole.registers[RBX]).toBe(0x77n);
});

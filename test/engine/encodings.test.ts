import { describe, expect, test } from 'vitest';
import type { GuestEngine } from '../../src/engine/index.ts';
import { AT, engineWith, enterLongMode, HLT, LINEAR, NO_EVENT, putTables, quadOf, SLOT_BYTES } from './long-mode.ts';
import { runIn } from './protected-mode.ts';

const HALT = 0xf4;
const UD = 6;
const GP = 13;
const IP = 0x800;
const MODES = [16, 32, 64] as const;
type Bits = (typeof MODES)[number];

/** The exception the code raises (undefined: it came to the HLT), at which offset from its begin, with which code. */
interface Outcome {
  readonly vector: number | undefined;
  readonly at: number;
  readonly error: number | undefined;
}

let long: GuestEngine | undefined;

function in64(code: readonly number[], offset: number = AT.code, budget = 40): Outcome {
  if (long === undefined) {
    long = engineWith({ hostBytes: SLOT_BYTES });
    long.addVcpu();
    putTables(long, 0);
  }
  enterLongMode(long, 0, []);
  long.writeHost(offset, Uint8Array.from(code));
  long.registers(0).rip = LINEAR + BigInt(offset);
  const stop = long.run(0, budget, NO_EVENT);
  expect(stop.exit.reason).toBe(HLT);
  const vector = Number(stop.rip - LINEAR) - AT.handlers;
  if (vector < 0 || vector > 31) return { vector: undefined, at: Number(stop.rip - LINEAR) - offset, error: undefined };
  const rsp = Number(long.registers(0).gpr(4) - LINEAR);
  const isError = vector === GP;
  const at = Number(quadOf(long, rsp + (isError ? 8 : 0)) - LINEAR) - offset;
  return { vector, at, error: isError ? Number(quadOf(long, rsp)) : undefined };
}

function outcome(bits: Bits, code: readonly number[]): Outcome {
  if (bits === 64) return in64(code);
  const { vector, ip, error } = runIn({ bits, limit: 0xffff }, IP, code);
  return { vector, at: ip - IP, error };
}

const times = (count: number, byte: number): number[] => new Array<number>(count).fill(byte);
const REFUSED = { vector: GP, at: 0, error: 0 };

describe.each(MODES)('%i-bit code: an instruction of more than 15 bytes raises #GP(0)', (bits) => {
  /** Instructions by the bytes they have after their prefixes. */
  const bodies: readonly [string, readonly number[]][] = [
    ['NOP', [0x90]],
    ['MOV AL,imm8', [0xb0, 0x12]],
    ['MOV AX,BX', [0x89, 0xd8]],
    ['MOVZX', [0x0f, 0xb6, 0xc3]],
    ['PSHUFB', [0x0f, 0x38, 0x00, 0xc1]],
    ['hint', [0x0f, 0x1f, 0xc0]],
  ];

  test.each(bodies)('%s behind redundant prefixes', (_, body) => {
    for (const prefix of [0x2e, 0x3e, 0x26]) {
      const most = 15 - body.length;
      const ends = outcome(bits, [...times(most, prefix), ...body, HALT]);
      expect([prefix, ends]).toEqual([prefix, { vector: undefined, at: 15, error: undefined }]);
      for (const more of [1, 2, 20]) {
        expect([prefix, more, outcome(bits, [...times(most + more, prefix), ...body, HALT])]).toEqual([
          prefix,
          more,
          REFUSED,
        ]);
      }
    }
  });

  test('prefixes of which each counts', () => {
    // The same one again counts for nothing but length.
    for (const prefix of [0x66, 0x67, 0xf2, 0xf3]) {
      expect(outcome(bits, [...times(14, prefix), 0x90, HALT]).at).toBe(15);
      expect(outcome(bits, [...times(15, prefix), 0x90, HALT])).toEqual(REFUSED);
    }
  });

  test('long encodings', () => {
    // ADD [disp32 + index],imm32 in the address and operand sizes that make it longest.
    const sizes = bits === 16 ? [0x67, 0x66] : [];
    const body = [0x81, 0x84, 0x20, ...times(8, 0)];
    const own = sizes.length + body.length;
    expect(outcome(bits, [...times(16 - own, 0x2e), ...sizes, ...body, HALT])).toEqual(REFUSED);
    // LOCK is fine with it, and nothing else is looked at before its length.
    expect(outcome(bits, [0xf0, ...times(15 - own, 0x3e), ...sizes, ...body, HALT])).toEqual(REFUSED);
  });

  test('undefined instructions of 15 bytes and fewer stay undefined', () => {
    expect(outcome(bits, [...times(13, 0x3e), 0x0f, 0x0b])).toMatchObject({ vector: UD, at: 0 });
    expect(outcome(bits, [...times(12, 0x3e), 0x0f, 0xff, 0xc0])).toMatchObject({ vector: UD, at: 0 });
    expect(outcome(bits, [...times(14, 0x3e), 0x0f, 0x0b])).toEqual(REFUSED);
    // LOCK on what has no memory operand.
    expect(outcome(bits, [0xf0, ...times(12, 0x3e), 0x89, 0xd8])).toMatchObject({ vector: UD, at: 0 });
  });
});

test('an instruction of more than 15 bytes that lies on two pages', () => {
  for (const inFirst of [1, 7, 14, 15]) {
    const offset = AT.data + 0x1000 - inFirst;
    expect([inFirst, in64([...times(15, 0x2e), 0x90, HALT], offset)]).toEqual([inFirst, REFUSED]);
    expect([inFirst, in64([...times(14, 0x2e), 0x90, HALT], offset).at]).toEqual([inFirst, 15]);
  }
});

describe.each(MODES)('%i-bit code: the space of hints', (bits) => {
  const opcodes = [0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f];
  const prefixes = [
    [],
    [0x66],
    [0xf2],
    [0xf3],
    [0x66, 0xf2],
    [0x66, 0xf3],
    ...(bits === 64 ? [[0x48], [0xf3, 0x48]] : []),
  ];

  test.each(opcodes)('0F %#x is a NOP with every ModRM and prefix', (opcode) => {
    for (const prefix of prefixes) {
      const code: number[] = [];
      // Every register form and memory form; the memory form's address is nowhere.
      for (let modRm = 0; modRm < 256; modRm++) code.push(...prefix, 0x0f, opcode, modRm, ...operandBytes(bits, modRm));
      const { vector, at } = run(bits, [...code, HALT]);
      expect([prefix, vector, at]).toEqual([prefix, undefined, code.length]);
    }
  });

  test.each(opcodes)('0F %#x with LOCK is undefined', (opcode) => {
    expect(outcome(bits, [0xf0, 0x0f, opcode, 0xc0])).toMatchObject({ vector: UD, at: 0 });
    expect(outcome(bits, [0xf0, 0x0f, opcode, 0x00])).toMatchObject({ vector: UD, at: 0 });
  });

  test('none of them changes a register', () => {
    // RDSSPD, RDSSPQ without CET: the register keeps what it has.
    const { vector } = outcome(bits, [0xf3, 0x0f, 0x1e, 0xc8, 0x83, 0xf8, 0x00, 0x74, 0x02, 0x0f, 0x0b, HALT]);
    expect(vector).toBeUndefined();
  });
});

/** SIB and displacement of a ModRM byte, zeros. SDM Vol. 2, tables 2-1 and 2-2. */
function operandBytes(bits: Bits, modRm: number): number[] {
  const [mod, rm] = [modRm >>> 6, modRm & 7];
  if (mod === 3) return [];
  if (bits === 16) return times(mod === 1 ? 1 : mod === 2 || rm === 6 ? 2 : 0, 0);
  return times((rm === 4 ? 1 : 0) + (mod === 1 ? 1 : mod === 2 || rm === 5 ? 4 : 0), 0);
}

/** More code than `outcome` runs. */
function run(bits: Bits, code: readonly number[]): Outcome {
  if (bits !== 64) {
    const { vector, ip, error } = runIn({ bits, limit: 0xffff }, IP, code, undefined, 400);
    return { vector, at: ip - IP, error };
  }
  return in64(code, AT.data, 400);
}

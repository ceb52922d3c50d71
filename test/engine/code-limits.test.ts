import { describe, expect, test } from 'vitest';
import type { GuestEngine } from '../../src/engine/index.ts';
import { engineWith, HLT, HLT_EXITS, NO_EVENT, putQuad } from './long-mode.ts';
import {
  type Came,
  type CodeSegment,
  codeDescriptor,
  longAt,
  PLACE,
  putGate32,
  putLong,
  runIn,
  SELECTOR,
} from './protected-mode.ts';

const [EAX, ECX] = [0, 1];
const GP = 13;
const HLT_CODE = 0xf4;
const NOP = 0x90;
const OPERAND = 0x66;
const FILLED = 0xa5a5_a5a5;

const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const long = (value: number): number[] => [...word(value), ...word(value >>> 16)];

/** Stack, ECX and EAX as these tests set them. */
const given =
  (target: number, more: (engine: GuestEngine) => void = () => undefined) =>
  (engine: GuestEngine): void => {
    const r = engine.registers(0);
    r.setGpr(EAX, BigInt(target >>> 0));
    r.setGpr(ECX, 2n);
    // ZF is clear, CF set: JNZ and JC are taken.
    r.rflags = 3n;
    putLong(engine, PLACE.stack, target);
    for (let at = PLACE.stack - 64; at < PLACE.stack; at += 4) putLong(engine, at, FILLED);
    more(engine);
  };

/** #GP(0) at the branch, with nothing changed: ESP, ECX, and the stack above the exception's own frame. */
function refusedAt(came: Came, ip: number): void {
  expect([came.vector, came.error, came.ip]).toEqual([GP, 0, ip]);
  expect([came.esp, came.gpr(ECX)]).toEqual([PLACE.stack, 2]);
  // The frame has 16 bytes.
  expect(longAt(came.engine, PLACE.stack - 20)).toBe(FILLED);
}

/** Near branches by name: a displacement of 16 or 32 bits, or a target in EAX or on the stack. */
const BRANCHES: readonly [string, (size: 2 | 4, from: number, target: number) => number[]][] = [
  ['JMP rel', (size, from, to) => [0xe9, ...(size === 2 ? word(to - from - 3) : long(to - from - 5))]],
  ['JNZ rel', (size, from, to) => [0x0f, 0x85, ...(size === 2 ? word(to - from - 4) : long(to - from - 6))]],
  ['CALL rel', (size, from, to) => [0xe8, ...(size === 2 ? word(to - from - 3) : long(to - from - 5))]],
  ['JMP EAX', () => [0xff, 0xe0]],
  ['CALL EAX', () => [0xff, 0xd0]],
  ['JMP [stack]', () => [0xff, 0x24, 0x24]],
  ['RET', () => [0xc3]],
  ['RET 8', () => [0xc2, 8, 0]],
];
const SHORT: readonly [string, number][] = [
  ['JMP', 0xeb],
  ['JNZ', 0x75],
  ['JC', 0x72],
  ['LOOP', 0xe2],
  ['LOOPNE', 0xe0],
];

describe('a near branch beyond the code segment faults before it is taken', () => {
  const segments: readonly [string, CodeSegment][] = [
    ['32-bit, a limit within a page', { bits: 32, limit: 0x1234 }],
    ['32-bit, a limit with a page', { bits: 32, limit: 0x1fff }],
    ['32-bit, a base within a page', { bits: 32, limit: 0x1fff, base: PLACE.code + 0x10 }],
    ['32-bit, more than 1 MiB', { bits: 32, limit: 0x10_1fff }],
  ];
  const cases = segments.flatMap(([where, segment]) =>
    BRANCHES.map(([name, bytes]) => ({ name, where, segment, bytes })),
  );

  test.each(cases)('$name: $where', ({ segment, bytes }) => {
    const ip = 0x800;
    const beyond = segment.limit + 1;
    refusedAt(runIn(segment, ip, bytes(4, ip, beyond), given(beyond)), ip);
    refusedAt(runIn(segment, ip, bytes(4, ip, 0xffff_fff0), given(0xffff_fff0)), ip);
  });

  test.each(cases)('$name to the last byte is taken: $where', ({ segment, bytes }) => {
    const ip = 0x800;
    const { base = PLACE.code, limit } = segment;
    const came = runIn(
      segment,
      ip,
      bytes(4, ip, limit),
      given(limit, (engine) => engine.writeHost(base + limit, Uint8Array.of(HLT_CODE))),
    );
    expect([came.vector, came.ip]).toEqual([undefined, limit]);
  });

  test.each(SHORT)('%s rel8', (_, opcode) => {
    for (const [limit, ip] of [
      [0x17ff, 0x17f0],
      [0x1804, 0x1800],
    ] as const) {
      refusedAt(runIn({ bits: 32, limit }, ip, [opcode, 0x20], given(0)), ip);
      // 16-bit code: the same, and with the other operand size.
      refusedAt(runIn({ bits: 16, limit }, ip, [opcode, 0x20], given(0)), ip);
      refusedAt(runIn({ bits: 16, limit }, ip, [OPERAND, opcode, 0x20], given(0)), ip);
      refusedAt(runIn({ bits: 32, limit }, ip, [OPERAND, opcode, 0x20], given(0)), ip);
    }
  });

  test.each([
    ['JECXZ', [0xe3, 0x20]],
    ['JCXZ', [0x67, 0xe3, 0x20]],
  ])('%s', (_, code) => {
    const came = runIn(
      { bits: 32, limit: 0x17ff },
      0x17f0,
      code,
      given(0, (e) => e.registers(0).setGpr(ECX, 0n)),
    );
    expect([came.vector, came.error, came.ip, came.esp]).toEqual([GP, 0, 0x17f0, PLACE.stack]);
  });

  test('a branch that is not taken may name any target', () => {
    for (const opcode of [0x74, 0x73, 0xe3]) {
      const came = runIn({ bits: 32, limit: 0x17ff }, 0x17f0, [opcode, 0x20, HLT_CODE], given(0));
      expect([came.vector, came.ip]).toEqual([undefined, 0x17f2]);
    }
    // LOOP down to zero.
    const ends = runIn(
      { bits: 32, limit: 0x17ff },
      0x17f0,
      [0xe2, 0x20, HLT_CODE],
      given(0, (e) => e.registers(0).setGpr(ECX, 1n)),
    );
    expect([ends.vector, ends.gpr(ECX)]).toEqual([undefined, 0]);
  });

  test.each(BRANCHES)('%s in a 16-bit segment of less than 64 KB', (_, bytes) => {
    const segment: CodeSegment = { bits: 16, limit: 0x1234 };
    const ip = 0x800;
    const withLongStack = bytes(2, ip, 0x1235);
    // JMP [ESP] needs the address size of 32 bits.
    const code = withLongStack[1] === 0x24 ? [0x67, ...withLongStack] : withLongStack;
    refusedAt(runIn(segment, ip, code, given(0x1235)), ip);
    const prefixed = [OPERAND, ...(code[0] === 0x67 ? code : bytes(4, ip + 1, 0x1235))];
    refusedAt(runIn(segment, ip, prefixed, given(0x1235)), ip);
  });
});

describe('EIP has 32 bits in a 16-bit segment', () => {
  const segment: CodeSegment = { bits: 16, limit: 0x2_ffff };
  const FAR_UP = 0x1_2340;
  const halt = (at: number) => (engine: GuestEngine) => engine.writeHost(PLACE.code + at, Uint8Array.of(HLT_CODE));

  test.each(BRANCHES)('%s with a 66 prefix leads above 64 KB', (_, bytes) => {
    const ip = 0x800;
    const body = bytes(4, ip + 1, FAR_UP);
    const code = body[1] === 0x24 ? [OPERAND, 0x67, ...body] : [OPERAND, ...body];
    const came = runIn(segment, ip, code, given(FAR_UP, halt(FAR_UP)));
    expect([came.vector, came.ip]).toEqual([undefined, FAR_UP]);
  });

  test.each(BRANCHES)('%s without one is cut to 16 bits', (_, bytes) => {
    const ip = 0x800;
    const body = bytes(2, ip, FAR_UP);
    const code = body[1] === 0x24 ? [0x67, ...body] : body;
    const came = runIn(segment, ip, code, given(FAR_UP, halt(FAR_UP & 0xffff)));
    expect([came.vector, came.ip]).toEqual([undefined, FAR_UP & 0xffff]);
  });

  test.each(SHORT)('%s rel8 across 64 KB: cut, or with a 66 prefix not', (_, opcode) => {
    // The page of 0xFFF0 goes on above 64 KB when the base is not at a page's begin.
    for (const base of [PLACE.code, PLACE.code + 0x800]) {
      const at = (code: number[], to: number) =>
        runIn(
          { ...segment, base },
          0xfff0,
          code,
          given(0, (e) => e.writeHost(base + to, Uint8Array.of(HLT_CODE))),
        ).ip;
      expect(at([opcode, 0x20], 0x12)).toBe(0x12);
      expect(at([OPERAND, opcode, 0x20], 0x1_0013)).toBe(0x1_0013);
    }
  });

  test.each(SHORT)('%s rel8 in flat 32-bit code with a 66 prefix is cut', (_, opcode) => {
    const came = runIn(
      { bits: 32, limit: 0xffff_ffff, base: 0 },
      0x8_1000,
      [OPERAND, opcode, 0x20],
      given(0, (e) => e.writeHost(0x1023, Uint8Array.of(HLT_CODE))),
    );
    // CS is not the handlers' own, though as flat.
    expect([came.vector, came.ip]).toEqual([undefined, 0x1023]);
  });

  test('CALL pushes as many bits as its operand has', () => {
    const [ip, up] = [0x1_0800, 0x1_2340];
    const wide = runIn(segment, ip, [OPERAND, 0xe8, ...long(up - ip - 6)], given(0, halt(up)));
    expect([wide.ip, wide.esp, longAt(wide.engine, wide.esp)]).toEqual([up, PLACE.stack - 4, ip + 6]);
    const narrow = runIn(segment, ip, [0xe8, ...word(up - ip - 3)], given(0, halt(up & 0xffff)));
    expect([narrow.ip, narrow.esp]).toEqual([up & 0xffff, PLACE.stack - 2]);
    expect(longAt(narrow.engine, narrow.esp) & 0xffff).toBe((ip + 3) & 0xffff);
  });

  test('code runs on above 64 KB, and jumps there', () => {
    const came = runIn(segment, 0xfffe, [NOP, NOP, NOP, 0xeb, 0x10], given(0, halt(0x1_0013 & 0xffff)));
    expect([came.vector, came.ip]).toEqual([undefined, 0x13]);
    const on = runIn(segment, 0xfffe, [NOP, NOP, NOP, HLT_CODE]);
    expect([on.vector, on.ip]).toEqual([undefined, 0x1_0001]);
  });
});

describe('at the end of 64 KB', () => {
  test('nothing runs on to offset 0', () => {
    const came = runIn({ bits: 16, limit: 0xffff }, 0xfffe, [NOP, NOP, HLT_CODE]);
    expect([came.vector, came.error, came.ip]).toEqual([GP, 0, 0x1_0000]);
  });

  test('nor does an instruction cross it', () => {
    const came = runIn({ bits: 16, limit: 0xffff }, 0xfffe, [0xb8, 0x34, 0x12, HLT_CODE]);
    expect([came.vector, came.error, came.ip]).toEqual([GP, 0, 0xfffe]);
  });

  test('a short branch of 16-bit operand size goes round', () => {
    const came = runIn({ bits: 16, limit: 0xffff }, 0xfff0, [0xeb, 0x20], (engine) =>
      engine.writeHost(PLACE.code + 0x12, Uint8Array.of(HLT_CODE)),
    );
    expect([came.vector, came.ip]).toEqual([undefined, 0x12]);
  });

  test('one of 32-bit operand size does not', () => {
    const came = runIn({ bits: 16, limit: 0xffff }, 0xfff0, [OPERAND, 0xeb, 0x20]);
    expect([came.vector, came.error, came.ip]).toEqual([GP, 0, 0xfff0]);
  });
});

describe('gates and far transfers whose target lies beyond the code segment', () => {
  const LIMIT = 0x0fff;
  const TARGET = { selector: 0x20, limit: LIMIT, base: 0x40000 };
  const inner = (engine: GuestEngine, dpl: number): void => {
    const descriptor = codeDescriptor({ bits: 32, limit: LIMIT, base: TARGET.base });
    putQuad(engine, PLACE.gdt + TARGET.selector, descriptor | (BigInt(dpl) << 45n));
    engine.writeHost(TARGET.base, new Uint8Array(0x2000).fill(HLT_CODE));
  };
  const IP = 0x100;
  const code32: CodeSegment = { bits: 32, limit: 0xffff };

  test('an interrupt gate: #GP(0) of the INT, #GP(EXT) of an exception', () => {
    const beyond = (vector: number) => (engine: GuestEngine) => {
      inner(engine, 0);
      putGate32(engine, vector, TARGET.selector, LIMIT + 1);
      for (let at = PLACE.stack - 64; at < PLACE.stack; at += 4) putLong(engine, at, FILLED);
    };
    const software = runIn(code32, IP, [0xcd, 0x40], beyond(0x40));
    expect([software.vector, software.error, software.ip, software.esp]).toEqual([GP, 0, IP, PLACE.stack]);
    expect(longAt(software.engine, PLACE.stack - 20)).toBe(FILLED);
    // UD2.
    const exception = runIn(code32, IP, [0x0f, 0x0b], beyond(6));
    expect([exception.vector, exception.error, exception.ip]).toEqual([GP, 1, IP]);
    const last = runIn(code32, IP, [0xcd, 0x40], (engine) => {
      inner(engine, 0);
      putGate32(engine, 0x40, TARGET.selector, LIMIT);
    });
    expect([last.vector, last.ip]).toEqual([undefined, LIMIT]);
  });

  test('a 16-bit interrupt gate has 16 bits of offset', () => {
    const came = runIn(code32, IP, [0xcd, 0x40], (engine) => {
      inner(engine, 0);
      putGate32(engine, 0x40, TARGET.selector, 0x7_0123, 0x86);
    });
    expect([came.vector, came.ip]).toEqual([undefined, 0x123]);
  });

  test.each([
    ['JMP', [0xea]],
    ['CALL', [0x9a]],
  ])('far %s, direct and by a call gate', (_, opcode) => {
    const far = (selector: number, offset: number) => [...opcode, ...long(offset), ...word(selector)];
    const fill = (engine: GuestEngine): void => {
      for (let at = PLACE.stack - 64; at < PLACE.stack; at += 4) putLong(engine, at, FILLED);
      inner(engine, 0);
    };
    const direct = runIn(code32, IP, far(TARGET.selector, LIMIT + 1), fill);
    expect([direct.vector, direct.error, direct.ip, direct.esp]).toEqual([GP, 0, IP, PLACE.stack]);
    expect(longAt(direct.engine, PLACE.stack - 20)).toBe(FILLED);
    const gate = (offset: number) => (engine: GuestEngine) => {
      fill(engine);
      const [low, high] = [BigInt(offset & 0xffff), BigInt(offset >>> 16)];
      const gateBits = low | (BigInt(TARGET.selector) << 16n) | (0x8cn << 40n) | (high << 48n);
      putQuad(engine, PLACE.gdt + 0x28, gateBits);
    };
    const through = runIn(code32, IP, far(0x28, 0), gate(0x7_0000));
    expect([through.vector, through.error, through.ip, through.esp]).toEqual([GP, 0, IP, PLACE.stack]);
    const last = runIn(code32, IP, far(0x28, 0), gate(LIMIT));
    expect([last.vector, last.ip]).toEqual([undefined, LIMIT]);
  });

  test('a call gate and an interrupt gate to an inner level', () => {
    const outside = (engine: GuestEngine): void => {
      inner(engine, 0);
      const r = engine.registers(0);
      // CPL 3 in segments of its own; the stack of CPL 0 from the TSS.
      r.setSegment(1, { selector: SELECTOR.tested | 3, base: BigInt(PLACE.code), limit: 0xffff, access: 0xc0fb });
      for (const s of [0, 2, 3]) r.setSegment(s, { selector: 0x33, base: 0n, limit: 0xffffffff, access: 0xc0f3 });
      r.setSegment(7, { selector: 0x40, base: BigInt(PLACE.tss), limit: 0x67, access: 0x8b });
      putLong(engine, PLACE.tss + 4, 0xe000);
      putLong(engine, PLACE.tss + 8, SELECTOR.data);
      const gate = (0xecn << 40n) | (BigInt(TARGET.selector) << 16n) | BigInt(LIMIT + 1);
      putQuad(engine, PLACE.gdt + 0x28, gate);
      putGate32(engine, 0x40, TARGET.selector, LIMIT + 1, 0xee);
      putLong(engine, 0xe000 - 0x20, FILLED);
    };
    for (const code of [
      [0x9a, 0, 0, 0, 0, 0x2b, 0],
      [0xcd, 0x40],
    ]) {
      const came = runIn(code32, IP, code, outside);
      expect([came.vector, came.error, came.ip]).toEqual([GP, 0, IP]);
      // The frame of the #GP itself: SS and ESP of CPL 3 above it.
      expect(longAt(came.engine, 0xe000 - 8)).toBe(PLACE.stack);
      expect(longAt(came.engine, 0xe000 - 0x20)).toBe(FILLED);
    }
  });

  test.each([
    ['RETF', [0xcb], 2],
    ['IRET', [0xcf], 3],
  ])('%s', (_, code, words) => {
    const came = runIn(code32, IP, code, (engine) => {
      inner(engine, 0);
      [LIMIT + 1, TARGET.selector, 2].slice(0, words).forEach((value, i) => {
        putLong(engine, PLACE.stack + 4 * i, value);
      });
    });
    expect([came.vector, came.error, came.ip, came.esp]).toEqual([GP, 0, IP, PLACE.stack]);
  });
});

describe('in real mode', () => {
  const STACK = 0x7000;
  const START = 0x1000;
  /** Real-address mode; INT 13 comes to a HLT at 0:0x500. */
  function real(code: readonly number[], change: (engine: GuestEngine) => void, limit = 0xffff) {
    const engine = engineWith({ hostBytes: 2 << 20 });
    engine.addVcpu();
    engine.setControls(0, HLT_EXITS);
    putLong(engine, 4 * GP, 0x500);
    engine.writeHost(0x500, Uint8Array.of(HLT_CODE));
    engine.writeHost(START, Uint8Array.from(code));
    const r = engine.registers(0);
    r.setSegment(1, { selector: 0, base: 0n, limit, access: 0x9b });
    r.setGpr(4, BigInt(STACK));
    r.rip = BigInt(START);
    change(engine);
    const stop = engine.run(0, 100, NO_EVENT);
    expect(stop.exit.reason).toBe(HLT);
    return { engine, ip: Number(stop.rip), sp: Number(r.gpr(4)) };
  }
  const wordAt = (engine: GuestEngine, at: number): number => longAt(engine, at) & 0xffff;
  const FILL = (engine: GuestEngine): void => engine.writeHost(STACK - 32, new Uint8Array(32).fill(0xa5));

  test.each([
    ['INT', [0xcd, 0x40]],
    ['far CALL', [0x66, 0x9a, ...long(0x1_0000), 0, 0]],
    ['far CALL of 16 bits', [0x9a, ...word(0x2000), 0, 0]],
    ['far JMP of 16 bits', [0xea, ...word(0x2000), 0, 0]],
  ])('%s beyond the limit that CS has kept', (_, code) => {
    const { engine, ip, sp } = real(
      code,
      (e) => {
        FILL(e);
        putLong(e, 4 * 0x40, 0x2000);
      },
      0x1fff,
    );
    expect([ip, sp, wordAt(engine, sp)]).toEqual([0x500, STACK - 6, START]);
    expect(wordAt(engine, STACK - 8)).toBe(0xa5a5);
  });

  test('IP does not go round at its end', () => {
    const { engine, ip, sp } = real([0xe9, ...word(0xffff - START - 3)], (e) =>
      e.writeHost(0xffff, Uint8Array.of(NOP, HLT_CODE)),
    );
    expect([ip, wordAt(engine, sp)]).toEqual([0x500, 0]);
  });
});

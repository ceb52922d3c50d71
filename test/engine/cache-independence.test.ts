import { describe, expect, test } from 'vitest';
import type { GuestEngine } from '../../src/engine/index.ts';
import {
  AT,
  engineWith,
  enterLongMode,
  HLT_EXITS,
  LINEAR,
  NO_EVENT,
  putFlatSegments,
  putGate,
  putQuad,
  putTables,
  SLOT_BYTES,
} from './long-mode.ts';
import { endedInHlt, type Subject, undisturbed } from './side-by-side.ts';

const CODE = LINEAR + BigInt(AT.code);
const DATA = LINEAR + BigInt(AT.data);
const PAGE_TABLE = LINEAR + BigInt(AT.pt);
const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3];
const DB = 1;
const EPT_VIOLATION = 48;

/** 64-bit code with the page table at R14; `change` sets up the rest. */
function subject(code: readonly number[], change: (engine: GuestEngine) => void = () => undefined): Subject {
  return {
    hostBytes: SLOT_BYTES,
    ticks: 60,
    controls: HLT_EXITS,
    prepare(engine) {
      putTables(engine, 0);
      enterLongMode(engine, 0, code);
      engine.registers(0).setGpr(14, PAGE_TABLE);
      change(engine);
    },
  };
}

describe('what the code under way rests on changes at the next instruction', () => {
  test('the accessed bit of its own page is set again', () => {
    const code = [
      0x41,
      0x80,
      0x26,
      0xdf, // and byte [r14],0xdf
      0xb9,
      0x05,
      0x00,
      0x00,
      0x00, // mov ecx,5
      0xff,
      0xc9, // dec ecx
      0x75,
      0xfc, // jnz the instruction before
      0x49,
      0x8b,
      0x06, // mov rax,[r14]
      0xf4, // hlt
    ];
    const whole = undisturbed(subject(code));
    expect(endedInHlt(whole)).toBe(true);
    expect((whole.registers[RAX] as bigint) & 0x20n).toBe(0x20n);
  });

  test('its page is another', () => {
    const code = [
      0x49,
      0x89,
      0x06, // mov [r14],rax
      0xbb,
      0x01,
      0x00,
      0x00,
      0x00, // mov ebx,1
      0xf4, // hlt
    ];
    const whole = undisturbed(
      subject(code, (engine) => {
        const other = code.with(4, 2);
        engine.writeHost(0x30000 + AT.code, Uint8Array.from(other));
        engine.registers(0).setGpr(RAX, 0x30067n);
      }),
    );
    expect(whole.registers[RBX]).toBe(2n);
  });

  test('a repeated instruction overwrites itself', () => {
    const code = [
      0x48,
      0x8d,
      0x3d,
      0x06,
      0x00,
      0x00,
      0x00, // lea rdi,[the byte before REP STOSB]
      0xb0,
      0x90, // mov al,0x90
      0xb9,
      0x10,
      0x00,
      0x00,
      0x00, // mov ecx,16
      0xf3,
      0xaa, // rep stosb
      ...new Array<number>(14).fill(0x90),
      0xf4, // hlt
    ];
    const whole = undisturbed(subject(code));
    // Two iterations, then STOSB by itself.
    expect(whole.registers[RCX]).toBe(14n);
    expect(endedInHlt(whole)).toBe(true);
  });

  test('an entry comes to name another frame by a bit that is ACCESSED in 32-bit entries', () => {
    const code = [
      0x49,
      0x8b,
      0x07, // mov rax,[r15]
      0x41,
      0x80,
      0x4e,
      0x04,
      0x20, // or byte [r14+4],0x20
      0x49,
      0x8b,
      0x1f, // mov rbx,[r15]
      0xf4, // hlt
    ];
    const whole = undisturbed(
      subject(code, (engine) => {
        engine.registers(0).setGpr(14, PAGE_TABLE + 8n * BigInt(AT.data >> 12));
        engine.registers(0).setGpr(15, DATA);
      }),
    );
    expect(whole.end.split(' ')).toEqual([`${EPT_VIOLATION}`, '385', '0', `${DATA}`, `${AT.data + 2 ** 37}`]);
  });

  test('an element is read before the walk to its destination marks it', () => {
    const code = [
      0xf3,
      0x48,
      0xa5, // rep movsq
      0x49,
      0x8b,
      0x07, // mov rax,[r15]
      0xf4, // hlt
    ];
    const page = 0x40;
    const whole = undisturbed(
      subject(code, (engine) => {
        const r = engine.registers(0);
        r.setGpr(RCX, 4n);
        // From the entry of the page the copy goes to.
        r.setGpr(6, PAGE_TABLE + BigInt(8 * page));
        r.setGpr(7, LINEAR + BigInt(page * 4096));
        r.setGpr(15, LINEAR + BigInt(page * 4096));
      }),
    );
    expect(endedInHlt(whole)).toBe(true);
    expect(whole.registers[RAX]).toBe(BigInt(page * 4096) | 7n);
  });

  test('an accessed bit is an operand of code in a page table', () => {
    const code = [
      0x41,
      0xff,
      0xd5, // call r13
      0x48,
      0x89,
      0xda, // mov rdx,rbx
      0x49,
      0x8b,
      0x0c,
      0x24, // mov rcx,[r12]
      0x41,
      0xff,
      0xd5, // call r13
      0xf4, // hlt
    ];
    const page = 0x40;
    const whole = undisturbed(
      subject(code, (engine) => {
        const entry = AT.pt + 8 * page;
        // MOV EBX, the low half of the entry; ADD [RAX],AL; NOP; RET.
        engine.writeHost(entry - 1, Uint8Array.of(0xbb, 0x07, 0x00, 0x04, 0x00, 0x00, 0x00, 0x90, 0xc3));
        const r = engine.registers(0);
        r.setGpr(RAX, DATA & ~0xffn);
        r.setGpr(12, LINEAR + BigInt(page * 4096));
        r.setGpr(13, LINEAR + BigInt(entry - 1));
      }),
    );
    expect(endedInHlt(whole)).toBe(true);
    expect([whole.registers[RDX], whole.registers[RBX]]).toEqual([0x40007n, 0x40027n]);
  });
});

describe('debug exceptions', () => {
  const HANDLER = AT.handlers + DB;

  test('a single-step trap comes before the fault of fetching its target', () => {
    const code = [
      0x68,
      0x02,
      0x01,
      0x00,
      0x00, // push 0x102
      0x9d, // popf
      0x41,
      0xff,
      0xe5, // jmp r13
    ];
    const whole = undisturbed(subject(code, (engine) => engine.registers(0).setGpr(13, 0x7000_0000n)));
    expect(endedInHlt(whole)).toBe(true);
    expect(whole.registers[16]).toBe(LINEAR + BigInt(HANDLER));
  });

  test('what a data breakpoint found is held back by MOV SS for one instruction', () => {
    const code = [
      0x41,
      0x8e,
      0x55,
      0x00, // mov ss,[r13]
      0x90, // nop
      0x90, // nop
      0xf4, // hlt
    ];
    const whole = undisturbed(
      subject(code, (engine) => {
        const r = engine.registers(0);
        putQuad(engine, AT.data, 0x10n);
        r.setGpr(13, DATA);
        r.setDr(0, DATA);
        r.setDr(7, 0x30401n);
      }),
    );
    expect(whole.registers[16]).toBe(LINEAR + BigInt(HANDLER));
    // MOV SS, one NOP.
    expect(whole.ticks).toBe(2);
  });

  test('an instruction that faults has hit no data breakpoint', () => {
    const code = [
      0x4d,
      0x87,
      0x65,
      0x00, // xchg [r13],r12 to a page that is read-only
      0xf4, // hlt
    ];
    const whole = undisturbed(
      subject(code, (engine) => {
        const r = engine.registers(0);
        putQuad(engine, AT.pt + 8 * (AT.data >> 12), BigInt(AT.data) | 5n);
        r.setGpr(13, DATA);
        r.setDr(0, DATA);
        r.setDr(7, 0x30401n);
        r.cr0 = 0x80010033n;
        // The page fault's handler: two NOPs before its HLT.
        putGate(engine, 0, 14, 0x3100);
        engine.writeHost(0x3100, Uint8Array.of(0x90, 0x90, 0xf4));
      }),
    );
    expect(whole.registers[16]).toBe(LINEAR + 0x3102n);
  });

  test('a breakpoint at the first instruction of its own handler never comes to an end but for the ticks', () => {
    const whole = undisturbed(
      subject([0x90, 0x90, 0xf4], (engine) => {
        const r = engine.registers(0);
        r.setGpr(4, LINEAR + 0x80000n);
        r.setDr(0, CODE + 1n);
        r.setDr(1, LINEAR + BigInt(HANDLER));
        r.setDr(7, 0x405n);
      }),
    );
    expect(whole).toMatchObject({ end: 'budget', ticks: 60 });
  });
});

test("PAE's pointers are registers: memory changes them no more", () => {
  const code = [
    0xc7,
    0x05,
    0x00,
    0x80,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00, // mov dword [0x8000],0
    0x90, // nop
    0xa1,
    0x00,
    0x60,
    0x00,
    0x00, // mov eax,[0x6000]
    0xf4, // hlt
  ];
  const whole = undisturbed({
    hostBytes: SLOT_BYTES,
    ticks: 100,
    controls: HLT_EXITS,
    prepare(engine) {
      putQuad(engine, 0x8000, 0x9001n);
      putQuad(engine, 0x9000, 0x87n);
      putQuad(engine, 0x6000, 0x77n);
      engine.writeHost(0x7000, Uint8Array.from(code));
      const r = engine.registers(0);
      putFlatSegments(engine);
      r.cr4 = 0x620n;
      r.cr3 = 0x8000n;
      r.cr0 = 0x80010033n;
      r.rip = 0x7000n;
    },
  });
  expect(endedInHlt(whole)).toBe(true);
  expect(whole.registers[RAX]).toBe(0x77n);
});

test('dropped caches are filled again', () => {
  const engine = engineWith({ hostBytes: SLOT_BYTES });
  engine.addVcpu();
  putTables(engine, 0);
  enterLongMode(engine, 0, [0x49, 0x8b, 0x06, 0xeb, 0xfb]);
  engine.registers(0).setGpr(14, DATA);
  engine.run(0, 100, NO_EVENT);
  const warm = engine.cacheFills;
  engine.run(0, 100, NO_EVENT);
  expect(engine.cacheFills.codePages).toBe(warm.codePages);
  engine.dropCaches();
  engine.run(0, 100, NO_EVENT);
  expect(engine.cacheFills.codePages).toBe(warm.codePages + 1);
  expect(engine.cacheFills.translations).toBeGreaterThan(warm.translations + 1);
});

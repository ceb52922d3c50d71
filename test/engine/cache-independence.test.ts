import seedrandom from 'seedrandom';
import { describe, expect, test } from 'vitest';
import type { GuestEngine } from '../../src/engine/index.ts';
import { NO_CONTROLS } from '../../src/kvm/guest.ts';
import { EPT_ACCESSED, EPT_DIRTY, EPT_POOL_BASE, eptWord } from '../../src/memory/ept-pool.ts';
import { HOST_PHYSICAL_BASE } from '../../src/memory/host-physical.ts';
import {
  AT, engineWith, enterLongMode, HLT, HLT_EXITS, LINEAR, NO_EVENT, putGate, putQuad, putTables, SLOT_BYTES,
} from './long-mode.ts';
import { type Disturbance, type Observed, observe, type Subject } from './side-by-side.ts';

const CODE = LINEAR + BigInt(AT.code);
const DATA = LINEAR + BigInt(AT.data);
const PAGE_TABLE = LINEAR + BigInt(AT.pt);
const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3];
const DB = 1;

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

const always = (): boolean => true;
const one = (): number => 1;
const random = seedrandom.alea('cache independence');

const DISTURBANCES: Readonly<Record<string, Disturbance>> = {
  'a cut after every tick': { cut: one },
  'caches dropped after every tick': { cut: one, drops: always },
  'another engine after every tick': { cut: one, moves: always },
  'a cut here and there': { cut: () => 1 + Math.floor(random() * 7) },
};

/** The undisturbed run; every disturbed one is equal to it. */
function undisturbed(what: Subject): Observed {
  const whole = observe(what);
  for (const [name, how] of Object.entries(DISTURBANCES)) expect(observe(what, how), name).toEqual(whole);
  return whole;
}

const endedInHlt = ({ end }: Observed): boolean => end.startsWith(`${HLT} `);

describe('what the code under way rests on changes at the next instruction', () => {
  test('the accessed bit of its own page is set again', () => {
    const code = [
      0x41, 0x80, 0x26, 0xdf, // and byte [r14],0xdf
      0xb9, 0x05, 0x00, 0x00, 0x00, // mov ecx,5
      0xff, 0xc9, // dec ecx
      0x75, 0xfc, // jnz the instruction before
      0x49, 0x8b, 0x06, // mov rax,[r14]
      0xf4, // hlt
    ];
    const whole = undisturbed(subject(code));
    expect(endedInHlt(whole)).toBe(true);
    expect((whole.registers[RAX] as bigint) & 0x20n).toBe(0x20n);
  });

  test('its page is another', () => {
    const code = [
      0x49, 0x89, 0x06, // mov [r14],rax
      0xbb, 0x01, 0x00, 0x00, 0x00, // mov ebx,1
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
      0x48, 0x8d, 0x3d, 0x06, 0x00, 0x00, 0x00, // lea rdi,[the byte before REP STOSB]
      0xb0, 0x90, // mov al,0x90
      0xb9, 0x10, 0x00, 0x00, 0x00, // mov ecx,16
      0xf3, 0xaa, // rep stosb
      ...new Array<number>(14).fill(0x90),
      0xf4, // hlt
    ];
    const whole = undisturbed(subject(code));
    // Two iterations, then STOSB by itself.
    expect(whole.registers[RCX]).toBe(14n);
    expect(endedInHlt(whole)).toBe(true);
  });

  test('an accessed bit is an operand of code in a page table', () => {
    const code = [
      0x41, 0xff, 0xd5, // call r13
      0x48, 0x89, 0xda, // mov rdx,rbx
      0x49, 0x8b, 0x0c, 0x24, // mov rcx,[r12]
      0x41, 0xff, 0xd5, // call r13
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
      0x68, 0x02, 0x01, 0x00, 0x00, // push 0x102
      0x9d, // popf
      0x41, 0xff, 0xe5, // jmp r13
    ];
    const whole = undisturbed(subject(code, (engine) => engine.registers(0).setGpr(13, 0x7000_0000n)));
    expect(endedInHlt(whole)).toBe(true);
    expect(whole.registers[16]).toBe(LINEAR + BigInt(HANDLER));
  });

  test('what a data breakpoint found is held back by MOV SS for one instruction', () => {
    const code = [
      0x41, 0x8e, 0x55, 0x00, // mov ss,[r13]
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
      0x4d, 0x87, 0x65, 0x00, // xchg [r13],r12 to a page that is read-only
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
      r.setSegment(1, { selector: 8, base: 0n, limit, access: 0xc09b });
      for (const segment of [0, 2, 3, 4, 5]) {
        r.setSegment(segment, { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 });
      }
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
    0xb9, 0x00, 0x01, 0x00, 0xc0, // mov ecx,FS_BASE
    0xb8, 0x00, 0x20, 0x00, 0x00, // mov eax,0x2000
    0x31, 0xd2, // xor edx,edx
    0x0f, 0x30, // wrmsr
    0x64, 0x8b, 0x1d, 0x10, 0xf0, 0xff, 0xff, // mov ebx,fs:[0xfffff010]
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
      r.setSegment(1, { selector: 8, base: 0n, limit: 0xffffffff, access: 0xc09b });
      for (const segment of [0, 2, 3, 4, 5]) {
        r.setSegment(segment, { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 });
      }
      r.cr0 = 0x33n;
      r.rip = 0x7000n;
    },
  });
  expect(endedInHlt(whole)).toBe(true);
  expect(whole.registers[RBX]).toBe(0x77n);
});

test("PAE's pointers are registers: memory changes them no more", () => {
  const code = [
    0xc7, 0x05, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // mov dword [0x8000],0
    0x90, // nop
    0xa1, 0x00, 0x60, 0x00, 0x00, // mov eax,[0x6000]
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
      r.setSegment(1, { selector: 8, base: 0n, limit: 0xffffffff, access: 0xc09b });
      for (const segment of [0, 2, 3, 4, 5]) {
        r.setSegment(segment, { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 });
      }
      r.cr4 = 0x620n;
      r.cr3 = 0x8000n;
      r.cr0 = 0x80010033n;
      r.rip = 0x7000n;
    },
  });
  expect(endedInHlt(whole)).toBe(true);
  expect(whole.registers[RAX]).toBe(0x77n);
});

/** Extended page tables in pool pages from `first` on: guest-physical 0 to 2 MiB lies at `host` of host memory. */
function putExtendedTables(engine: GuestEngine, first: number, host: number): bigint {
  const at = (page: number): number => EPT_POOL_BASE + page * 4096;
  const put = (page: number, value: number): void => {
    const word = eptWord(at(page), 0);
    engine.eptWords[word] = value % 2 ** 32;
    engine.eptWords[word + 1] = Math.floor(value / 2 ** 32);
  };
  put(first, at(first + 1) + 7);
  put(first + 1, at(first + 2) + 7);
  put(first + 2, HOST_PHYSICAL_BASE + host + 0xb7);
  return BigInt(at(first)) | 0x1en;
}

const ENABLE_EPT = { ...NO_CONTROLS, primary: ((1 << 7) | (1 << 31)) >>> 0, secondary: 2 };

test('one linear address under two EPT pointers is two places', () => {
  const engine = engineWith({ hostBytes: 2 * SLOT_BYTES });
  engine.addVcpu();
  const pointers = [putExtendedTables(engine, 0, 0), putExtendedTables(engine, 4, SLOT_BYTES)];
  const seen = [0, 1, 0, 1].map((which) => {
    const host = which * SLOT_BYTES;
    putTables(engine, host);
    // The tables name guest-physical addresses, which are the same in both.
    for (const [from, to] of [[AT.pml4, AT.pdpt], [AT.pd, AT.pt]] as const) {
      putQuad(engine, host + from, BigInt(to) | 7n);
    }
    putQuad(engine, host + AT.pdpt + 8 * Number((LINEAR >> 30n) & 511n), BigInt(AT.pd) | 7n);
    for (let page = 0; page < 512; page++) putQuad(engine, host + AT.pt + 8 * page, BigInt(page * 4096) | 7n);
    putQuad(engine, host + AT.data, BigInt(0x100 + which));
    engine.writeHost(host + AT.code, Uint8Array.of(0x49, 0x8b, 0x06, 0xf4));
    enterLongMode(engine, 0, [0x49, 0x8b, 0x06, 0xf4]);
    engine.setControls(0, { ...ENABLE_EPT, eptPointer: pointers[which] as bigint });
    engine.registers(0).setGpr(14, DATA);
    expect(engine.run(0, 10, NO_EVENT).exit.reason).toBe(HLT);
    return engine.registers(0).gpr(RAX);
  });
  expect(seen).toEqual([0x100n, 0x101n, 0x100n, 0x101n]);
});

test('a translation for a debugger leaves no trace in extended page tables', () => {
  const engine = engineWith({ hostBytes: SLOT_BYTES });
  engine.addVcpu();
  const eptPointer = putExtendedTables(engine, 0, 0) | 0x40n;
  putTables(engine, 0);
  enterLongMode(engine, 0, [0xf4]);
  engine.setControls(0, { ...ENABLE_EPT, eptPointer });
  const entry = (): number => engine.eptWords[2 * 1024] as number;
  const untouched = entry();
  expect(engine.translate(0, DATA)?.gpa).toBe(AT.data);
  expect(entry()).toBe(untouched);
  expect(engine.run(0, 10, NO_EVENT).exit.reason).toBe(HLT);
  expect(entry()).toBe(untouched | EPT_ACCESSED | EPT_DIRTY);
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

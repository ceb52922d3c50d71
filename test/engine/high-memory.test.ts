import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { TableWrite } from '../../src/engine/mmu/followed-tables.ts';
import * as L from '../../src/engine/state/layout.ts';
import {
  AT,
  engineWith,
  enterLongMode,
  HLT,
  LINEAR,
  NO_EVENT,
  putQuad,
  putTables,
  registersOf,
  SLOT_BYTES,
} from './long-mode.ts';

/** The largest host memory an engine can have. */
const HOST_BYTES = 65535 * 65536 - L.HOST_MEMORY;
/** Host address whose place in the engine's memory is 2 GiB. */
const TWO_GIB = 2 ** 31 - L.HOST_MEMORY;

/**
 * Copies and fills in both directions, accesses, code and stack over page borders, code that is overwritten, and a
 * changed page-table entry whose translation is cached. R15: the linear base, R14: the page table.
 */
const PROGRAM = [
  0x49,
  0x8d,
  0xb7,
  0x10,
  0x00,
  0x01,
  0x00, // lea rsi,[r15+0x10010]
  0x49,
  0x8d,
  0xbf,
  0x03,
  0x4f,
  0x01,
  0x00, // lea rdi,[r15+0x14f03]
  0xb9,
  0x00,
  0x18,
  0x00,
  0x00, // mov ecx,0x1800
  0xfc, // cld
  0xf3,
  0xa4, // rep movs byte es:[rdi],byte ds:[rsi]
  0x49,
  0x8d,
  0xbf,
  0xf8,
  0x8f,
  0x01,
  0x00, // lea rdi,[r15+0x18ff8]
  0x48,
  0xb8,
  0x88,
  0x77,
  0x66,
  0x55,
  0x44,
  0x33,
  0x22,
  0x11, // movabs rax,0x1122334455667788
  0xb9,
  0x00,
  0x03,
  0x00,
  0x00, // mov ecx,0x300
  0xf3,
  0x48,
  0xab, // rep stos qword es:[rdi],rax
  0xfd, // std
  0x49,
  0x8d,
  0xb7,
  0x00,
  0x67,
  0x01,
  0x00, // lea rsi,[r15+0x16700]
  0x49,
  0x8d,
  0xbf,
  0x23,
  0xd1,
  0x01,
  0x00, // lea rdi,[r15+0x1d123]
  0xb9,
  0x00,
  0x15,
  0x00,
  0x00, // mov ecx,0x1500
  0xf3,
  0xa4, // rep movs byte es:[rdi],byte ds:[rsi]
  0x49,
  0x8d,
  0xbf,
  0x04,
  0xf0,
  0x01,
  0x00, // lea rdi,[r15+0x1f004]
  0xb8,
  0xcd,
  0xab,
  0x00,
  0x00, // mov eax,0xabcd
  0xb9,
  0x00,
  0x09,
  0x00,
  0x00, // mov ecx,0x900
  0x66,
  0xf3,
  0xab, // rep stos word es:[rdi],ax
  0xfc, // cld
  0x49,
  0x8b,
  0x9f,
  0xfd,
  0x0f,
  0x01,
  0x00, // mov rbx,qword [r15+0x10ffd]
  0x49,
  0x89,
  0x9f,
  0xfb,
  0x1f,
  0x01,
  0x00, // mov qword [r15+0x11ffb],rbx
  0x41,
  0x01,
  0x9f,
  0xff,
  0x2f,
  0x01,
  0x00, // add dword [r15+0x12fff],ebx
  0xf3,
  0x41,
  0x0f,
  0x6f,
  0x87,
  0xf9,
  0x0f,
  0x01,
  0x00, // movdqu xmm0,[r15+0x10ff9]
  0xf3,
  0x41,
  0x0f,
  0x7f,
  0x87,
  0xf1,
  0x3f,
  0x01,
  0x00, // movdqu [r15+0x13ff1],xmm0
  0xf0,
  0x49,
  0x0f,
  0xb1,
  0x9f,
  0xfe,
  0x2f,
  0x01,
  0x00, // lock cmpxchg qword [r15+0x12ffe],rbx
  0x53, // push rbx
  0xe8,
  0x00,
  0x00,
  0x00,
  0x00, // call the next instruction
  0x5a, // pop rdx
  0x4c,
  0x29,
  0xfa, // sub rdx,r15
  0xc6,
  0x05,
  0x01,
  0x00,
  0x00,
  0x00,
  0x5a, // the immediate of the next instruction becomes 0x5a
  0xbd,
  0x11,
  0x00,
  0x00,
  0x00, // mov ebp,0x11
  0x4d,
  0x8b,
  0x87,
  0x00,
  0x00,
  0x02,
  0x00, // mov r8,qword [r15+0x20000]
  0x49,
  0x8b,
  0x8e,
  0x08,
  0x01,
  0x00,
  0x00, // mov rcx,qword [r14+0x108]
  0x49,
  0x87,
  0x8e,
  0x00,
  0x01,
  0x00,
  0x00, // xchg qword [r14+0x100],rcx
  0x4d,
  0x8b,
  0x8f,
  0x00,
  0x00,
  0x02,
  0x00, // mov r9,qword [r15+0x20000]
  0x49,
  0x89,
  0x8e,
  0x00,
  0x01,
  0x00,
  0x00, // mov qword [r14+0x100],rcx
  0x4d,
  0x8b,
  0x97,
  0x00,
  0x00,
  0x02,
  0x00, // mov r10,qword [r15+0x20000]
  0x49,
  0x8d,
  0xbf,
  0x00,
  0x90,
  0x01,
  0x00, // lea rdi,[r15+0x19000]
  0x48,
  0xb8,
  0x88,
  0x77,
  0x66,
  0x55,
  0x44,
  0x33,
  0x22,
  0x11, // movabs rax,0x1122334455667788
  0xb9,
  0x00,
  0x04,
  0x00,
  0x00, // mov ecx,0x400
  0xf3,
  0x48,
  0xaf, // repz scas rax,qword es:[rdi]
  0x49,
  0x89,
  0xcb, // mov r11,rcx
  0x49,
  0x8d,
  0xb7,
  0x10,
  0x00,
  0x01,
  0x00, // lea rsi,[r15+0x10010]
  0x49,
  0x8d,
  0xbf,
  0x03,
  0x4f,
  0x01,
  0x00, // lea rdi,[r15+0x14f03]
  0xb9,
  0x00,
  0x20,
  0x00,
  0x00, // mov ecx,0x2000
  0xf3,
  0xa6, // repz cmps byte ds:[rsi],byte es:[rdi]
  0x49,
  0x89,
  0xcc, // mov r12,rcx
  0xf4, // hlt
];

interface Outcome {
  readonly exit: number;
  readonly ticks: number;
  readonly registers: readonly bigint[];
  readonly memory: string;
  readonly writes: readonly bigint[];
}

/** Run the program in the slot at `base` of an engine of its own; what it did, in terms of the slot. */
function ranAt(base: number): Outcome {
  const writes: TableWrite[] = [];
  const engine = engineWith({ hostBytes: HOST_BYTES, onTableWrite: (write) => void writes.push(write) });
  engine.addVcpu();
  engine.writeHost(
    base,
    Uint8Array.from({ length: AT.pml4 }, (_, at) => (at * 7 + (at >>> 8)) & 0xff),
  );
  putTables(engine, base);
  putQuad(engine, base + 0x20000, 0x1111n);
  putQuad(engine, base + 0x21000, 0x2222n);
  enterLongMode(engine, base, PROGRAM);
  engine.registers(0).setGpr(14, LINEAR + BigInt(AT.pt));
  engine.registers(0).setGpr(15, LINEAR);
  const stop = engine.run(0, 100_000, NO_EVENT);
  const frame = (entry: bigint): bigint => entry - BigInt(base);
  return {
    exit: stop.exit.reason,
    ticks: stop.ticks,
    registers: registersOf(engine),
    memory: createHash('sha256').update(engine.readHost(base, AT.pml4)).digest('hex'),
    writes: writes.flatMap((write) => [BigInt(write.gpa - base), frame(write.old), frame(write.new)]),
  };
}

const low = ranAt(SLOT_BYTES);

test('the program does what it is for', () => {
  expect(low.exit).toBe(HLT);
  expect(low.registers.slice(8, 11)).toEqual([0x1111n, 0x2222n, 0x1111n]);
  expect(low.registers[5]).toBe(0x5an);
  expect(low.writes).toHaveLength(6);
});

test.each([
  ['from 2 GiB on', TWO_GIB],
  ['with its tables from 2 GiB on', TWO_GIB - AT.pt],
  ['with its tables just below 2 GiB', TWO_GIB - AT.pt - 4096],
  ['with its data around 2 GiB', TWO_GIB - 0x15000],
  ['with its code around 2 GiB', TWO_GIB - 4096],
  ['around guest-physical 2 GiB', 2 ** 31 - 4096],
  ['at the end of the largest memory', HOST_BYTES - SLOT_BYTES],
])('it does the same in host memory %s', (_, base) => {
  expect(ranAt(base)).toEqual(low);
});

test('a memory that 32-bit addresses do not reach the end of is refused', () => {
  expect(() => engineWith({ hostBytes: HOST_BYTES + 65536 })).toThrow('host memory fits in 32-bit addresses');
});

import { Code } from './code.ts';
import { codeOf, OPERATION_NAMES, type Step } from './steps.ts';

const LOAD = 0x100000;
const MAGIC = 0x1badb002;
const ADDRESS_FIELDS = 0x10000;

/** Where a processor's count of steps lies, in memory that a reset leaves: after one it goes on with the next. */
const CURSORS = 0x6000;
const CURSOR_SIZE = 8;
/** Where processors start that SIPI wakes, and the first one after INIT by way of 40:67. */
export const TRAMPOLINE = 0x8000;
const WARM_START = 0x467;
const STACKS = 0x10000;
const STACK_SIZE = 0x1000;
const CPUS = 4;

/** A multiboot image: each processor takes its steps one after the other, whatever faults or interrupts it. */
export function stormImage(steps: readonly (readonly Step[])[]): Uint8Array {
  const code = new Code(LOAD);
  header(code);
  entry(code);
  trampoline(code);
  longMode(code);
  handlers(code);
  operations(code);
  tables(code);
  for (let cpu = 0; cpu < CPUS; cpu += 1) {
    code.align(16).label(`steps${cpu}`);
    for (const each of [...(steps[cpu] ?? []), END]) {
      code.word32(OPERATION_NAMES.indexOf(each.op)).word32(each.address).word64(each.value);
    }
  }
  return code.assembled();
}

const END: Step = { op: 'end', address: 0, value: 0n };

/** How many steps a processor has begun. */
export const cursorOf = (cpu: number): number => CURSORS + CURSOR_SIZE * cpu;

/** Multiboot specification 0.6.96, 3.1.1, with addresses. */
function header(code: Code): void {
  code
    .word32(MAGIC)
    .word32(ADDRESS_FIELDS)
    .word32(-(MAGIC + ADDRESS_FIELDS));
  code.word32(LOAD).word32(LOAD).word32(0).word32(0).emit([], 'entry');
}

/** 32-bit protected mode: the trampoline to its place, then as the others. */
function entry(code: Code): void {
  code.label('entry').emit([0xfa, 0xfc, 0x0f, 0x01, 0x15], 'gdtPointer');
  code.emit([0xbe], 'trampoline').emit([0xbf]).word32(TRAMPOLINE).emit([0xb9]).word32(64).emit([0xf3, 0xa4]);
  code
    .emit([0xc7, 0x05])
    .word32(WARM_START)
    .word32((TRAMPOLINE >> 4) << 16);
  code.label('protected');
  // CR4: PAE, OSFXSR, OSXMMEXCPT.
  code.emit([0x0f, 0x20, 0xe0, 0x0d, 0x20, 0x06, 0x00, 0x00, 0x0f, 0x22, 0xe0]);
  code.emit([0xb8], 'pml4').emit([0x0f, 0x22, 0xd8]);
  // EFER: LME, NXE, SCE.
  code.emit([0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32, 0x0d, 0x01, 0x09, 0x00, 0x00, 0x0f, 0x30]);
  // CR0: caches on, PG, WP, NE, MP, PE.
  code.emit([0x0f, 0x20, 0xc0, 0x25, 0xfb, 0xff, 0xff, 0x9f, 0x0d, 0x23, 0x00, 0x01, 0x80, 0x0f, 0x22, 0xc0]);
  code.emit([0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0]);
  code.emit([0xea], 'long').emit([0x08, 0x00]);
}

/** Real mode, at TRAMPOLINE. */
function trampoline(code: Code): void {
  const begins = code.bytes.length;
  code.label('trampoline').emit([0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0x0f, 0x01, 0x16]);
  const pointer = code.bytes.length;
  code.emit([0, 0, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x66, 0xea], 'protected').emit([0x18, 0x00]);
  const at = TRAMPOLINE + code.bytes.length - begins;
  code.bytes[pointer] = at & 0xff;
  code.bytes[pointer + 1] = at >> 8;
  code.emit([GDT.length * 8 - 1, 0], 'gdt');
}

/** r11: interrupts stay on; r12: where the count lies; r13: steps; r14: stack; r15: what goes on with the next step. */
function longMode(code: Code): void {
  code.label('long').emit([0x31, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8]);
  // Initial APIC id.
  code.emit([0xb8, 0x01, 0x00, 0x00, 0x00, 0x0f, 0xa2, 0xc1, 0xeb, 0x18, 0x83, 0xe3, 0x03, 0x89, 0xdd]);
  code.emit([0x41, 0xbf], 'next');
  code.emit([0x44, 0x8d, 0x24, 0xed]).word32(CURSORS);
  code.emit([0x4c, 0x8b, 0x2c, 0xed], 'stepTables');
  code.emit([0x4c, 0x8b, 0x34, 0xed], 'stackTops');
  code.emit([0x0f, 0x01, 0x1c, 0x25], 'idtPointer');
  code.label('next').emit([0xfa, 0x45, 0x31, 0xdb, 0x4c, 0x89, 0xf4, 0x49, 0x8b, 0x04, 0x24, 0x49, 0xff, 0x04, 0x24]);
  code.emit([0x48, 0xc1, 0xe0, 0x04, 0x49, 0x8d, 0x74, 0x05, 0x00]);
  code.emit([0x8b, 0x06, 0x8b, 0x56, 0x04, 0x48, 0x8b, 0x7e, 0x08]);
  code.emit([0xff, 0x24, 0xc5], 'operations');
}

const NEXT_STEP = [0x41, 0xff, 0xe7];

/** Whatever faults is left behind. An interrupt ends itself at both kinds of controller, and mostly is the last one. */
function handlers(code: Code): void {
  code.label('fault').emit(NEXT_STEP);
  code.label('nmi').emit([0x48, 0xcf]);
  code.label('interrupt').emit([0x50, 0x51, 0x52, 0xb9, 0x1b, 0x00, 0x00, 0x00, 0x0f, 0x32, 0xf6, 0xc4, 0x04]);
  code.emit([0x74, 0x0d, 0xb9, 0x0b, 0x08, 0x00, 0x00, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x30, 0xeb, 0x0b]);
  code.emit([0xba, 0xb0, 0x00, 0xe0, 0xfe, 0xc7, 0x02, 0, 0, 0, 0]);
  code.emit([0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x5a, 0x59, 0x58]);
  code.emit([0x45, 0x85, 0xdb, 0x75, 0x07, 0x48, 0x0f, 0xba, 0x74, 0x24, 0x10, 0x09, 0x48, 0xcf]);
}

function operations(code: Code): void {
  for (const name of OPERATION_NAMES) code.label(`op.${name}`).emit(codeOf(name)).emit(NEXT_STEP);
}

/** Null, 64-bit code, data, 32-bit code. */
const GDT = [0n, 0x00af9b000000ffffn, 0x00cf93000000ffffn, 0x00cf9b000000ffffn] as const;
const VECTORS = 256;
const NMI = 2;
const EXCEPTIONS = 32;
const LARGE_PAGE = 0x200000;
const PAGE = 4096;

function tables(code: Code): void {
  code.align(16).label('gdt');
  for (const descriptor of GDT) code.word64(descriptor);
  code
    .label('gdtPointer')
    .emit([GDT.length * 8 - 1, 0], 'gdt')
    .align(16);
  code.label('idtPointer').emit([0xff, 0x0f], 'idt').emit([0, 0, 0, 0]).align(16);
  code.label('operations');
  for (const name of OPERATION_NAMES) code.emit([], `op.${name}`).word32(0);
  code.label('stepTables');
  for (let cpu = 0; cpu < CPUS; cpu += 1) code.emit([], `steps${cpu}`).word32(0);
  code.label('stackTops');
  for (let cpu = 0; cpu < CPUS; cpu += 1) code.word64(BigInt(STACKS + STACK_SIZE * (cpu + 1)));
  code.align(PAGE).label('idt');
  for (let vector = 0; vector < VECTORS; vector += 1) gate(code, vector);
  pageTables(code);
}

/** A 64-bit interrupt gate. SDM Vol. 3, figure 7-8. */
function gate(code: Code, vector: number): void {
  const to = code.addressOf(vector >= EXCEPTIONS ? 'interrupt' : vector === NMI ? 'nmi' : 'fault');
  code.emit([to & 0xff, (to >> 8) & 0xff, 0x08, 0x00, 0x00, 0x8e, (to >> 16) & 0xff, (to >>> 24) & 0xff]);
  code.word64(0n);
}

/** The first 4 GiB where they are, in large pages. */
function pageTables(code: Code): void {
  code.align(PAGE).label('pml4').align(PAGE);
  const at = LOAD + code.bytes.length;
  const PRESENT_WRITABLE = 3;
  const LARGE = 0x83;
  code.word64(BigInt(at + PAGE + PRESENT_WRITABLE)).align(PAGE);
  for (let gib = 0; gib < 4; gib += 1) code.word64(BigInt(at + (2 + gib) * PAGE + PRESENT_WRITABLE));
  code.align(PAGE);
  for (let page = 0; page < 2048; page += 1) code.word64(BigInt(page * LARGE_PAGE + LARGE));
}

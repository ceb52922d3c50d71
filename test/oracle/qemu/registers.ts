import type { GdbRemote } from './gdb-remote.ts';

/** What the stub's `g` packet tells of the integer state. */
export interface StepRegisters {
  /** Hardware order: rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
  readonly gpr: readonly bigint[];
  readonly rip: bigint;
  readonly eflags: number;
  /** es cs ss ds fs gs. */
  readonly selectors: readonly number[];
}

/** gdb's order of the first eight: rax rbx rcx rdx rsi rdi rbp rsp. */
const FROM_GDB = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];
const RIP = 16 * 16;
const EFLAGS = RIP + 16;
/** Its number in the stub, in hexadecimal. */
const EFLAGS_NUMBER = '11';
const SELECTORS = EFLAGS + 8;
/** gdb's order: cs ss ds es fs gs. */
const SELECTOR_ORDER = [1, 2, 3, 0, 4, 5];

/** Bytes of a little-endian hexadecimal field, as a number. */
function hex32(text: string, at: number): number {
  return Number.parseInt(
    text.slice(at + 6, at + 8) + text.slice(at + 4, at + 6) + text.slice(at + 2, at + 4) + text.slice(at, at + 2),
    16,
  );
}

const hex64 = (text: string, at: number): bigint => (BigInt(hex32(text, at + 8)) << 32n) | BigInt(hex32(text, at));

/** Read the registers of the stopped vCPU. */
export function readRegisters(gdb: GdbRemote): StepRegisters {
  const text = gdb.ask('g');
  const gpr: bigint[] = new Array(16);
  for (let i = 0; i < 16; i++) gpr[FROM_GDB[i]!] = hex64(text, i * 16);
  const selectors: number[] = new Array(6);
  for (let i = 0; i < 6; i++) selectors[SELECTOR_ORDER[i]!] = hex32(text, SELECTORS + i * 8);
  return { gpr, rip: hex64(text, RIP), eflags: hex32(text, EFLAGS), selectors };
}

/** Write EFLAGS of the stopped vCPU. */
export function writeEflags(gdb: GdbRemote, eflags: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(eflags >>> 0);
  const reply = gdb.ask(`P${EFLAGS_NUMBER}=${bytes.toString('hex')}`);
  if (reply !== 'OK') throw new Error(`the stub does not write EFLAGS: ${reply}`);
}

/** A segment register as QEMU's monitor prints it. */
export interface MonitorSegment {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  /** The descriptor's second word: type and attributes in b23:8. */
  readonly flags: number;
}

/** What `info registers` adds to the `g` packet. */
export interface SystemRegisters {
  /** es cs ss ds fs gs ldt tr. */
  readonly segments: readonly MonitorSegment[];
  readonly gdtr: { readonly base: bigint; readonly limit: number };
  readonly idtr: { readonly base: bigint; readonly limit: number };
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly mxcsr: number;
}

/** Parse `info registers`. */
export function readSystemRegisters(gdb: GdbRemote): SystemRegisters {
  const text = gdb.monitor('info registers');
  const number = (name: string): bigint => {
    const match = new RegExp(`\\b${name}=([0-9a-f]+)`).exec(text);
    if (match === null) throw new Error(`info registers has no ${name}:\n${text}`);
    return BigInt('0x' + match[1]);
  };
  const segment = (name: string): MonitorSegment => {
    const match = new RegExp(`^${name} *=([0-9a-f]{4}) ([0-9a-f]+) ([0-9a-f]{8}) ([0-9a-f]{8})`, 'm').exec(text);
    if (match === null) throw new Error(`info registers has no ${name}:\n${text}`);
    const [, selector, base, limit, flags] = match;
    const number = (field: string | undefined) => Number('0x' + field);
    return { selector: number(selector), base: BigInt('0x' + base), limit: number(limit), flags: number(flags) };
  };
  const table = (name: string) => {
    const match = new RegExp(`^${name}= *([0-9a-f]+) ([0-9a-f]+)`, 'm').exec(text);
    if (match === null) throw new Error(`info registers has no ${name}:\n${text}`);
    return { base: BigInt('0x' + match[1]), limit: Number.parseInt(match[2]!, 16) };
  };
  return {
    segments: ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDT', 'TR'].map(segment),
    gdtr: table('GDT'),
    idtr: table('IDT'),
    cr0: number('CR0'),
    cr2: number('CR2'),
    cr3: number('CR3'),
    cr4: number('CR4'),
    efer: number('EFER'),
    mxcsr: Number(number('MXCSR')),
  };
}

import type { Gva } from '../../base/units.ts';
import type { Registers } from '../../x86/guest.ts';
import { AMD64, type Caller, I386, type UnwoundRegisters } from './dwarf/unwind.ts';
import { type OrcFrame, type UnwindMemory, unwindOrc } from './orc.ts';
import { byPrologue, followsCall, framePointers, type StackTop } from './stack-frames.ts';
import type { SymbolTable } from './symbols.ts';
import { bitsOf, type GuestView, linearRip, readLinear, registersOf } from '../../machine/guest-view.ts';
import { GPR } from '../../x86/registers.ts';

/** A caller on the stack. */
export interface Frame {
  readonly address: Gva;
  /**
   * 'here': the next instruction. 'orc': by the kernel's ORC tables. 'cfi': by the file's call frame information.
   * 'frame': by the frame pointer, or what the function has pushed so far. 'guess': a word of the stack that follows a
   * call.
   */
  readonly by: 'here' | 'orc' | 'cfi' | 'frame' | 'guess';
  /** It was interrupted here: the address is that of its next instruction, not one a call returns to. */
  readonly isInterrupted?: true;
}

const { RSP, RBP } = GPR;
const FRAMES_MAX = 64;
const SCANNED_WORDS = 512;

/** Processor's numbers of registers in the order DWARF has them. AMD64 ABI, figure 3.36. */
const AMD64_ORDER = [0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];

/**
 * Who called whom, nearest first: by the ORC tables of a Linux kernel whose symbols are known, by call frame information
 * of the file the symbols come from, by frame pointers as far as they lead, and then by what lies on the stack.
 */
export function backtrace(view: GuestView, vcpu: number, symbols: SymbolTable): Frame[] {
  const here: Frame = { address: linearRip(view, vcpu), by: 'here' };
  const unwound = unwindOrc(symbols, stackOf(view, vcpu), registersFor(registersOf(view, vcpu)));
  if (unwound.length > 0) return [here, ...unwound.map((frame) => frameOf(frame, 'orc'))];
  return byFile(view, vcpu, symbols, here);
}

const frameOf = ({ address, isInterrupted }: OrcFrame, by: Frame['by']): Frame =>
  isInterrupted ? { address, by, isInterrupted: true } : { address, by };

const stackOf = (view: GuestView, vcpu: number): UnwindMemory => ({
  word: (linear) => words(view, vcpu, BigInt.asUintN(64, linear), 8, 1)[0],
  bytes: (linear, length) => readLinear(view, vcpu, BigInt.asUintN(64, linear), length),
});

const registersFor = (registers: Registers) => ({
  ip: registers.rip,
  sp: registers.gpr(RSP),
  bp: registers.gpr(RBP),
  dx: registers.gpr(2),
  di: registers.gpr(7),
  r10: registers.gpr(10),
  r13: registers.gpr(13),
});

/** By call frame information where the file has some, from step to step by what its code has pushed where not. */
function byFile(view: GuestView, vcpu: number, symbols: SymbolTable, here: Frame): Frame[] {
  const bits = bitsOf(view, vcpu);
  const numbers = bits === 64 ? AMD64 : I386;
  const size = bits / 8;
  const memory = (address: bigint, bytes: number): bigint | undefined => words(view, vcpu, address, bytes, 1)[0];
  const code = (address: bigint, length: number): Uint8Array => readLinear(view, vcpu, address, length);
  const frames: Frame[] = [here];
  let now: UnwoundRegisters = numbered(registersOf(view, vcpu), here.address, bits);
  let isExact = true;
  while (frames.length < FRAMES_MAX) {
    const caller: Caller | 'end' | undefined = symbols.code?.frames?.caller(now, isExact, numbers, memory);
    if (caller === 'end') return frames;
    if (caller !== undefined) {
      if (!isFurther(caller.registers, now, numbers.stack) || caller.registers.ip === 0n) return frames;
      now = caller.registers;
      isExact = caller.isInterrupted;
      frames.push(frameOf({ address: now.ip, isInterrupted: isExact }, 'cfi'));
      continue;
    }
    const top = topOf(now, numbers.stack, size);
    const pushed: StackTop | undefined = top && byPrologue(symbols, { memory, code, size }, top, isExact);
    if (pushed === undefined) return [...frames, ...byStack(view, vcpu, top, size, frames.length)];
    now = under(now, pushed, numbers.stack, size);
    isExact = false;
    frames.push({ address: now.ip, by: 'frame' });
  }
  return frames;
}

/** A caller's stack lies above; else the information leads nowhere. Another stack may lie anywhere. */
const isFurther = (caller: UnwoundRegisters, now: UnwoundRegisters, stack: number): boolean =>
  caller.ip !== now.ip || caller.numbered[stack] !== now.numbered[stack];

function numbered(registers: Registers, ip: bigint, bits: number): UnwoundRegisters {
  const all = AMD64_ORDER.map((number) => registers.gpr(number));
  if (bits === 64) return { ip, numbered: [...all, ip] };
  const low = Array.from({ length: 8 }, (_, number) => BigInt.asUintN(32, registers.gpr(number)));
  return { ip, numbered: [...low, ip] };
}

/** DWARF's number of the frame pointer. */
const basePointer = (size: number): number => (size === 8 ? 6 : 5);

function topOf({ ip, numbered: all }: UnwoundRegisters, stack: number, size: number): StackTop | undefined {
  const [sp, bp] = [all[stack], all[basePointer(size)]];
  return sp === undefined ? undefined : { ip, sp, bp: bp ?? 0n };
}

function under(before: UnwoundRegisters, { ip, sp, bp }: StackTop, stack: number, size: number): UnwoundRegisters {
  const all = [...before.numbered];
  all[stack] = sp;
  all[basePointer(size)] = bp;
  return { ip, numbered: all };
}

/** By frame pointers as far as they lead, and then by words of the stack that follow a call. */
function byStack(view: GuestView, vcpu: number, top: StackTop | undefined, size: number, before: number): Frame[] {
  if (top === undefined) return [];
  const code = (address: bigint, length: number): Uint8Array => readLinear(view, vcpu, address, length);
  const memory = (address: bigint, bytes: number): bigint | undefined => words(view, vcpu, address, bytes, 1)[0];
  const { addresses, stack } = framePointers({ memory, code, size }, top, FRAMES_MAX - before);
  const guessed = words(view, vcpu, stack, size, SCANNED_WORDS).filter((word) => followsCall(code, word));
  const frames: Frame[] = addresses.map((address) => ({ address, by: 'frame' }));
  return [...frames, ...guessed.map((address): Frame => ({ address, by: 'guess' }))].slice(0, FRAMES_MAX - before);
}

function words(view: GuestView, vcpu: number, linear: Gva, size: number, count: number): bigint[] {
  const bytes = readLinear(view, vcpu, linear, size * count);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, at) => {
    if (size === 8) return data.getBigUint64(at * 8, true);
    if (size === 1) return BigInt(data.getUint8(at));
    return BigInt(size === 4 ? data.getUint32(at * 4, true) : data.getUint16(at * 2, true));
  });
}

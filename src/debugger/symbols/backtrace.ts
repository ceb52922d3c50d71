import type { Gva } from '../../base/units.ts';
import type { Registers } from '../../x86/guest.ts';
import { type UnwindMemory, unwindOrc } from './orc.ts';
import type { SymbolTable } from './symbols.ts';
import { bitsOf, type GuestView, linearRip, readLinear, registersOf } from '../../machine/guest-view.ts';
import { GPR } from '../../x86/registers.ts';

/** A caller on the stack. */
export interface Frame {
  readonly address: Gva;
  /**
   * 'here': the next instruction. 'orc': by the kernel's ORC tables; 'interrupted': likewise, and it was interrupted.
   * 'frame': by the frame pointer. 'guess': a word of the stack that follows a call.
   */
  readonly by: 'here' | 'orc' | 'interrupted' | 'frame' | 'guess';
}

const { RSP, RBP } = GPR;
const FRAMES_MAX = 64;
const SCANNED_WORDS = 512;

/**
 * Who called whom, nearest first: by the ORC tables of a Linux kernel whose symbols are known, or else by frame
 * pointers as far as they lead and then by what lies on the stack.
 */
export function backtrace(view: GuestView, vcpu: number, symbols: SymbolTable): Frame[] {
  const here: Frame = { address: linearRip(view, vcpu), by: 'here' };
  const unwound = unwindOrc(symbols, stackOf(view, vcpu), registersFor(registersOf(view, vcpu)));
  if (unwound.length === 0) return byFramePointer(view, vcpu);
  const callers = unwound.map(
    ({ address, isInterrupted }): Frame => ({ address, by: isInterrupted ? 'interrupted' : 'orc' }),
  );
  return [here, ...callers];
}

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

function byFramePointer(view: GuestView, vcpu: number): Frame[] {
  const registers = registersOf(view, vcpu);
  const size = bitsOf(view, vcpu) / 8;
  const frames: Frame[] = [{ address: linearRip(view, vcpu), by: 'here' }];
  let stack = registers.gpr(RSP);
  let frame = registers.gpr(RBP);
  while (frames.length < FRAMES_MAX && frame >= stack) {
    const [next, address] = words(view, vcpu, frame, size, 2);
    if (next === undefined || address === undefined || !followsCall(view, vcpu, address)) break;
    frames.push({ address, by: 'frame' });
    stack = frame + BigInt(2 * size);
    frame = next;
  }
  const guessed = words(view, vcpu, stack, size, SCANNED_WORDS).filter((word) => followsCall(view, vcpu, word));
  return [...frames, ...guessed.map((address) => ({ address, by: 'guess' as const }))].slice(0, FRAMES_MAX);
}

function words(view: GuestView, vcpu: number, linear: Gva, size: number, count: number): bigint[] {
  const bytes = readLinear(view, vcpu, linear, size * count);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, at) =>
    size === 8
      ? data.getBigUint64(at * 8, true)
      : BigInt(size === 4 ? data.getUint32(at * 4, true) : data.getUint16(at * 2, true)),
  );
}

const CALL_RELATIVE = 0xe8;
const GROUP_5 = 0xff;
/** Bytes of an indirect call: opcode, ModRM, SIB, displacement. */
const INDIRECT_LENGTHS = [2, 3, 4, 6, 7];

/** Whether the bytes before an address are a near call: only then can it be where a callee returns to. */
function followsCall(view: GuestView, vcpu: number, address: Gva): boolean {
  if (address < 16n) return false;
  const before = readLinear(view, vcpu, address - 7n, 7);
  if (before.length < 7) return false;
  if (before[2] === CALL_RELATIVE) return true;
  return INDIRECT_LENGTHS.some(
    (length) => before[7 - length] === GROUP_5 && (((before[8 - length] as number) >> 3) & 7) === 2,
  );
}

import type { OperandKind } from '../emit/builder.ts';
import { handlerKey } from '../meanings/meaning.ts';
import { stringKey } from '../meanings/strings.ts';
import { type DecodedInstruction, ICED } from './instruction.ts';
import { CODE_REACH, MODE, reachOf } from '../state/mode.ts';
import { SEG } from '../../x86/registers.ts';

/** Which handler an instruction gets: its key, or the name of an assist. */
export type Selection = { readonly key: string } | { readonly assist: string };

const STRING = /^(movs|stos|lods|scas|cmps)([bwdq])$/;
const STRING_SIZES: Readonly<Record<string, 1 | 2 | 4 | 8>> = { b: 1, w: 2, d: 4, q: 8 };
/** x87 by name: FEMMS is 3DNow!'s. */
const WAITING_X87 = /^(f(?!xsave|xrstor|emms)|wait)/;
const VECTOR_STATE = new Set(['ldmxcsr', 'stmxcsr']);

/** Choose the handler for `d` in code mode `mode`. The key may not exist: then it is an assist by mnemonic. */
export function select(d: DecodedInstruction, mode: number): Selection {
  const { mnemonic } = d;
  const is64 = (mode & MODE.size) === 2;
  const string = STRING.exec(mnemonic);
  if (string !== null && d.operands.some((o) => o.kind === 'string')) return selectString(d, string, mode);
  if (mnemonic === 'mov' && BigInt.asIntN(32, d.displacement) !== d.displacement) return { assist: 'mov.moffs' };
  if (usesVector(d) && (mode & MODE.sseOff) !== 0) return { assist: 'vector.unavailable' };
  if (WAITING_X87.test(mnemonic)) return { assist: mnemonic === 'wait' ? 'wait' : 'x87' };
  if (usesMmx(d) && (mode & MODE.x87Off) !== 0) return { assist: 'mmx.unavailable' };
  const special = SPECIAL[mnemonic];
  if (special !== undefined) return special(d, is64, mode);
  return generic(d, mode);
}

function generic(d: DecodedInstruction, mode: number): Selection {
  // MOV with a 64-bit offset: a record holds 32 bits of displacement.
  if (BigInt.asIntN(32, d.displacement) !== d.displacement && d.addressSize === 8) return { assist: 'mov.absolute' };
  const kinds: string[] = [];
  const sizes: number[] = [];
  for (const operand of d.operands) {
    if (operand.kind === 'register') {
      if (!isPlainRegister(operand.register)) return { assist: d.mnemonic };
      kinds.push('r');
    } else if (operand.kind === 'immediate') {
      kinds.push('i');
    } else if (operand.kind === 'memory') {
      kinds.push(memoryKind(d, mode));
    } else {
      return { assist: d.mnemonic };
    }
    sizes.push('size' in operand ? operand.size : 0);
  }
  return { key: handlerKey(d.mnemonic, sizes, kinds) };
}

function isPlainRegister(register: number): boolean {
  return ICED.general(register) !== undefined || ICED.xmm(register) !== undefined || ICED.mm(register) !== undefined;
}

function usesVector(d: DecodedInstruction): boolean {
  if (VECTOR_STATE.has(d.mnemonic)) return true;
  return d.operands.some((o) => o.kind === 'register' && ICED.xmm(o.register) !== undefined);
}

function usesMmx(d: DecodedInstruction): boolean {
  if (d.mnemonic === 'emms') return true;
  return d.operands.some((o) => o.kind === 'register' && ICED.mm(o.register) !== undefined);
}

/** How the record's memory operand is addressed; see OperandKind. */
function memoryKind(d: DecodedInstruction, mode: number): OperandKind {
  const segment = ICED.segment(d.segment) ?? 3;
  if ((mode & MODE.size) === 2) {
    if (segment >= SEG.FS || d.addressSize !== 8 || d.index !== ICED.none) return 'mB';
    return 'mA';
  }
  return (mode & (1 << (MODE.flat + segment))) !== 0 ? 'mB' : 'mC';
}

function selectString(d: DecodedInstruction, match: RegExpExecArray, mode: number): Selection {
  const name = match[1] as 'movs' | 'stos' | 'lods' | 'scas' | 'cmps';
  const size = STRING_SIZES[match[2] as string] as 1 | 2 | 4 | 8;
  const source = ICED.segment(d.segment) ?? 3;
  const flatEs = (mode & (1 << MODE.flat)) !== 0;
  const flatSource = (mode & (1 << (MODE.flat + source))) !== 0;
  const flat = (mode & MODE.size) === 2 || (flatEs && flatSource);
  const compares = name === 'scas' || name === 'cmps';
  const repeat = d.repne ? (compares ? 'repne' : 'rep') : d.rep ? 'rep' : 'one';
  return { key: stringKey({ name, size, addressSize: d.addressSize, repeat, flat }) };
}

type Special = (d: DecodedInstruction, is64: boolean, mode: number) => Selection;

const flatness = (is64: boolean): string => (is64 ? 'flat' : 'checked');
const assist = (d: DecodedInstruction): Selection => ({ assist: d.mnemonic });

/** What the names of near branches end in: a target that may lie beyond the segment, or is cut to IP, is looked at. */
function limited(d: DecodedInstruction, mode: number): '' | '.limited' {
  const [target] = d.operands;
  const isCut = target?.kind === 'near' && target.size === 2;
  return reachOf(mode) === CODE_REACH.all && !isCut ? '' : '.limited';
}

/** CALL and RET: by the stack where the segment has no end. */
const callOrReturn = (name: string, d: DecodedInstruction, is64: boolean, mode: number): string =>
  `${name}${limited(d, mode) || `.${flatness(is64)}`}`;

const jump: Special = (d, is64, mode) => {
  const target = d.operands[0];
  const ending = limited(d, mode);
  if (target?.kind === 'near') return { key: handlerKey(`jmp.near${ending}`, [], []) };
  if (target?.kind === 'register') return { key: handlerKey(`jmp${ending}`, [is64 ? 8 : target.size], ['r']) };
  // iced gives far pointers sizes 4, 6 and 10; near ones 2, 4 and 8.
  if (target?.kind === 'memory' && !isFar(d)) {
    return { key: handlerKey(`jmp${ending}`, [target.size], [memoryKind(d, mode)]) };
  }
  return { assist: 'jmp.far' };
};

/** FF /3 and FF /5 are far. */
function isFar(d: DecodedInstruction): boolean {
  const at = d.bytes.findIndex((byte, i) => byte === 0xff && d.bytes.length > i + 1);
  const reg = ((d.bytes[at + 1] as number) >>> 3) & 7;
  return reg === 3 || reg === 5;
}

const call: Special = (d, is64, mode) => {
  const target = d.operands[0];
  const size = is64 ? 8 : d.operandSize;
  if (target?.kind === 'near') return { key: handlerKey(callOrReturn('call.near', d, is64, mode), [size], ['i']) };
  const name = callOrReturn('call', d, is64, mode);
  if (target?.kind === 'register') return { key: handlerKey(name, [target.size], ['r']) };
  if (target?.kind === 'memory' && !isFar(d)) return { key: handlerKey(name, [target.size], [memoryKind(d, mode)]) };
  return { assist: 'call.far' };
};

/** Bytes a PUSH, POP, CALL or RET moves on the stack, parameters of RET aside. */
function stackSize(d: DecodedInstruction, is64: boolean): number {
  if (is64) return d.operandSize === 2 ? 2 : 8;
  return d.operandSize;
}

const pushOrPop: Special = (d, is64, mode) => {
  const operand = d.operands[0];
  const size = stackSize(d, is64);
  const name = `${d.mnemonic}.${flatness(is64)}`;
  if (operand?.kind === 'register' && ICED.general(operand.register) !== undefined) {
    return { key: handlerKey(name, [size], ['r']) };
  }
  if (operand?.kind === 'immediate') return { key: handlerKey(name, [size], ['i']) };
  if (operand?.kind === 'memory') return { key: handlerKey(name, [size], [memoryKind(d, mode)]) };
  return { assist: `${d.mnemonic}.segment` };
};

const byAddressSize =
  (name: string): Special =>
  (d, _, mode) => ({ key: handlerKey(`${name}${limited(d, mode)}`, [d.addressSize], ['i']) });

/** The address size is in the name. */
const byCount =
  (size: 2 | 4 | 8): Special =>
  (d, _, mode) => ({ key: handlerKey(`jcxz${limited(d, mode)}`, [size], ['i']) });

const nop: Special = () => ({ key: handlerKey('nop', [], []) });

const SPECIAL: Readonly<Record<string, Special>> = {
  jmp: jump,
  call,
  ret: (d, is64, mode) => ({
    key: handlerKey(callOrReturn('ret', d, is64, mode), [is64 ? 8 : d.operandSize], ['i']),
  }),
  push: pushOrPop,
  pop: pushOrPop,
  leave: (d, is64) => ({ key: handlerKey(`leave.${flatness(is64)}`, [stackSize(d, is64)], []) }),
  loop: byAddressSize('loop'),
  loope: byAddressSize('loope'),
  loopne: byAddressSize('loopne'),
  jcxz: byCount(2),
  jecxz: byCount(4),
  jrcxz: byCount(8),
  rdtsc: (d, _, mode) => ((mode & MODE.rdtscFast) !== 0 ? { key: handlerKey('rdtsc.fast', [], []) } : assist(d)),
  rdtscp: (d, _, mode) => ((mode & MODE.rdtscFast) !== 0 ? { key: handlerKey('rdtscp.fast', [], []) } : assist(d)),
  ...Object.fromEntries(
    ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'].map((c) => [
      `j${c}`,
      (d: DecodedInstruction, _: boolean, mode: number): Selection => ({
        key: handlerKey(`j${c}${limited(d, mode)}`, [], []),
      }),
    ]),
  ),
  ...Object.fromEntries(
    // biome-ignore format: a table
    [
      'nop', 'fnop', 'endbr64', 'endbr32', 'lfence', 'mfence', 'sfence', 'prefetcht0', 'prefetcht1', 'prefetcht2',
      'prefetchnta', 'prefetchw', 'prefetch', 'prefetchwt1', 'reservednop', 'clflush', 'clflushopt', 'clwb', 'cldemote',
    ].map((name) => [name, nop]),
  ),
  xlatb: assist,
};

import { type DecodedInstruction, ICED } from './instruction.ts';
import { select } from './select.ts';

/** Who executes instructions of a form. */
export interface Choice {
  /** The handler's; undefined: an assist does it. */
  readonly slot: number | undefined;
  readonly assist: string;
  /** The handler leaves its rare cases to the assist of the same name. */
  readonly fallsBack: boolean;
  /** What follows it in memory is not what is executed next. */
  readonly isLast: boolean;
}

const FALLS_BACK = new Set(['cli', 'sti']);

const LAST = new Set([
  'jmp',
  'ret',
  'retf',
  'iret',
  'iretd',
  'iretq',
  'ud2',
  'sysret',
  'sysretq',
  'sysexit',
  'sysexitq',
]);

/**
 * What `select` said, by all that it looks at: instructions of one form are chosen for once in each mode. The form is
 * iced's code, which says the operands' kinds and sizes, and what prefixes and the ModRM byte leave open.
 */
export class Choices {
  private readonly slots: ReadonlyMap<string, number>;
  private readonly byMode = new Map<number, Map<number, Choice>>();

  constructor(slots: ReadonlyMap<string, number>) {
    this.slots = slots;
  }

  of(d: DecodedInstruction, mode: number): Choice {
    let known = this.byMode.get(mode);
    if (known === undefined) {
      known = new Map();
      this.byMode.set(mode, known);
    }
    const form = formOf(d);
    let choice = known.get(form);
    if (choice === undefined) {
      choice = this.choose(d, mode);
      known.set(form, choice);
    }
    return choice;
  }

  private choose(d: DecodedInstruction, mode: number): Choice {
    const selection = select(d, mode);
    const slot = 'key' in selection ? this.slots.get(selection.key) : undefined;
    const assist = 'assist' in selection ? selection.assist : d.mnemonic;
    return { slot, assist, fallsBack: FALLS_BACK.has(d.mnemonic), isLast: LAST.has(d.mnemonic) };
  }
}

/** All that `select` asks of an instruction, as a number. */
function formOf(d: DecodedInstruction): number {
  let form = d.code;
  // One without a segment has no operand in memory.
  form = form * 8 + (ICED.segment(d.segment) ?? 6);
  form = form * 2 + (d.index === ICED.none ? 0 : 1);
  form = form * 2 + (fits(d.displacement) ? 0 : 1);
  form = form * 4 + (d.repne ? 2 : 0) + (d.rep ? 1 : 0);
  form = form * 16 + d.addressSize;
  return form * 16 + d.operandSize;
}

const fits = (displacement: bigint): boolean => displacement === 0n || BigInt.asIntN(32, displacement) === displacement;

import { memoryArithmetic, registerArithmetic } from './arithmetic.ts';
import { compareRegister, compareToFlags, examine, test } from './compare.ts';
import {
  clearExceptions,
  loadControl,
  loadEnvironment,
  restore,
  save,
  storeEnvironment,
  storeWord,
} from './control.ts';
import { initialise } from './image.ts';
import { transcendental } from './transcendental.ts';
import {
  exchange,
  loadExtended,
  loadInteger,
  loadReal,
  loadRegister,
  moveIf,
  storeBcd,
  storeExtended,
  storeInteger,
  storeQuietly,
  storeReal,
  storeRegister,
} from './transfer.ts';
import { changeSign, loadConstant, partialRemainder, root, roundToInteger, scaleByPower, split } from './unary.ts';
import { ES, X87_DONE, X87_ERROR, X87_UNDEFINED, type X87Unit, markEmpty, moveTop, pop, setC1 } from './unit.ts';

/** What an instruction does; `i` is the low three bits of ModRM. */
type Action = (unit: X87Unit, i: number) => void;
type Row = readonly (Action | undefined)[];

/** The eight memory forms D8, DA, DC and DE share, with the operand of that opcode. */
const arithmetic = (opcode: number): Row =>
  [0, 1, 2, 3, 4, 5, 6, 7].map(
    (operation): Action =>
      (unit) =>
        memoryArithmetic(unit, opcode, operation),
  );

/** Memory forms by opcode - D8 and reg (SDM vol. 2, tables ); undefined: #UD. */
const MEMORY: readonly Row[] = [
  arithmetic(0xd8),
  // biome-ignore format: a table
  [
    (u) => loadReal(u, 4), undefined, (u) => storeReal(u, 4, false), (u) => storeReal(u, 4, true),
    loadEnvironment, loadControl, storeEnvironment, (u) => storeWord(u, u.fcw),
  ],
  arithmetic(0xda),
  // biome-ignore format: a table
  [
    (u) => loadInteger(u, 4), (u) => storeInteger(u, 4, true, true), (u) => storeInteger(u, 4, false, false),
    (u) => storeInteger(u, 4, true, false), undefined, loadExtended, undefined, storeExtended,
  ],
  arithmetic(0xdc),
  // biome-ignore format: a table
  [
    (u) => loadReal(u, 8), (u) => storeInteger(u, 8, true, true), (u) => storeReal(u, 8, false),
    (u) => storeReal(u, 8, true), restore, undefined, save, (u) => storeWord(u, u.fsw),
  ],
  arithmetic(0xde),
  // biome-ignore format: a table
  [
    (u) => loadInteger(u, 2), (u) => storeInteger(u, 2, true, true), (u) => storeInteger(u, 2, false, false),
    (u) => storeInteger(u, 2, true, false), (u) => loadInteger(u, 10), (u) => loadInteger(u, 8), storeBcd,
    (u) => storeInteger(u, 8, true, false),
  ],
];

/** One of a group of eight encodings told apart by the low bits of ModRM. */
const one =
  (actions: Row): Action =>
  (unit, i) =>
    actions[i]?.(unit, i);

const combine =
  (operation: number, toSti: boolean, pops: boolean): Action =>
  (unit, i) =>
    registerArithmetic(unit, operation, i, toSti, pops);
const compare =
  (pops: number, signalsQuiet: boolean): Action =>
  (unit, i) =>
    compareRegister(unit, i, pops, signalsQuiet);
const move =
  (row: number, negated: boolean): Action =>
  (unit, i) =>
    moveIf(unit, row, negated, i);
const nothing: Action = () => undefined;
const store =
  (pops: boolean): Action =>
  (unit, i) =>
    storeRegister(unit, i, pops);

/** FFREE. */
function release(unit: X87Unit, i: number): void {
  markEmpty(unit, i);
  setC1(unit, false);
}

/** FFREEP, undocumented. */
function releaseAndPop(unit: X87Unit, i: number): void {
  release(unit, i);
  pop(unit);
}

/** FDECSTP (-1) and FINCSTP (1). */
const rotate =
  (by: number): Action =>
  (unit) => {
    moveTop(unit, by);
    setC1(unit, false);
  };

// biome-ignore format: a table
const SIGNS: Row = [
  (u) => changeSign(u, true), (u) => changeSign(u, false), undefined, undefined, test, examine, undefined, undefined,
];
const CONSTANTS: Row = [...Array.from({ length: 7 }, (): Action => loadConstant), undefined];
// biome-ignore format: a table
const F0: Row = [
  (u) => transcendental(u, 0xf0), (u) => transcendental(u, 0xf1), (u) => transcendental(u, 0xf2),
  (u) => transcendental(u, 0xf3), split, (u) => partialRemainder(u, true), rotate(-1), rotate(1),
];
// biome-ignore format: a table
const F8: Row = [
  (u) => partialRemainder(u, false), (u) => transcendental(u, 0xf9), root, (u) => transcendental(u, 0xfb),
  roundToInteger, scaleByPower, (u) => transcendental(u, 0xfe), (u) => transcendental(u, 0xff),
];
/** FENI and FDISI of the 8087 and FSETPM of the 80287 do nothing. */
const DB_E0: Row = [nothing, nothing, clearExceptions, initialise, nothing, undefined, undefined, undefined];
const only = (i: number, action: Action): Row => Array.from({ length: 8 }, (_, at) => (at === i ? action : undefined));
const FUCOMPP = only(1, (u) => compareRegister(u, 1, 2, false));
const FCOMPP = only(1, (u) => compareRegister(u, 1, 2, true));
const FNOP = only(0, nothing);
const FNSTSW = only(0, (u) => u.setAx(u.fsw));

/** Groups of which some encodings do not exist, by opcode and reg: consulted before REGISTER. */
// biome-ignore format: a table
const PARTIAL: ReadonlyMap<number, Row> = new Map([
  [0xd902, FNOP], [0xd904, SIGNS], [0xd905, CONSTANTS], [0xda05, FUCOMPP], [0xdb04, DB_E0], [0xde03, FCOMPP],
  [0xdf04, FNSTSW],
]);

/** Register forms by opcode - D8 and reg (SDM vol. 2, tables ); undefined: #UD. */
const REGISTER: readonly Row[] = [
  // biome-ignore format: a table
  [
    combine(0, false, false), combine(1, false, false), compare(0, true), compare(1, true),
    combine(4, false, false), combine(5, false, false), combine(6, false, false), combine(7, false, false),
  ],
  [loadRegister, exchange, one(FNOP), storeQuietly, one(SIGNS), one(CONSTANTS), one(F0), one(F8)],
  [move(0, false), move(1, false), move(2, false), move(3, false), undefined, one(FUCOMPP), undefined, undefined],
  [
    move(0, true),
    move(1, true),
    move(2, true),
    move(3, true),
    one(DB_E0),
    (u, i) => compareToFlags(u, i, 0, false),
    (u, i) => compareToFlags(u, i, 0, true),
    undefined,
  ],
  // biome-ignore format: a table
  [
    combine(0, true, false), combine(1, true, false), compare(0, true), compare(1, true),
    combine(4, true, false), combine(5, true, false), combine(6, true, false), combine(7, true, false),
  ],
  [release, exchange, store(false), store(true), compare(0, false), compare(1, false), undefined, undefined],
  // biome-ignore format: a table
  [
    combine(0, true, true), combine(1, true, true), compare(1, true), one(FCOMPP),
    combine(4, true, true), combine(5, true, true), combine(6, true, true), combine(7, true, true),
  ],
  // biome-ignore format: a table
  [
    releaseAndPop, exchange, store(true), store(true), one(FNSTSW),
    (u, i) => compareToFlags(u, i, 1, false), (u, i) => compareToFlags(u, i, 1, true), undefined,
  ],
];

function actionOf(opcode: number, modrm: number): Action | undefined {
  const reg = (modrm >> 3) & 7;
  if (modrm < 0xc0) return MEMORY[opcode - 0xd8]![reg];
  const partial = PARTIAL.get((opcode << 8) | reg);
  return partial === undefined ? REGISTER[opcode - 0xd8]![reg] : partial[modrm & 7];
}

/** Whether the instruction does not wait for a pending exception: FNINIT FNCLEX FNSTSW FNSTCW FNSTENV FNSAVE. */
function isNonWaiting(opcode: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  if (modrm >= 0xc0) return (opcode === 0xdb && reg === 4) || (opcode === 0xdf && modrm === 0xe0);
  return (opcode === 0xd9 || opcode === 0xdd) && reg >= 6;
}

/** Whether the instruction is one of those that leave FIP, FDP and FOP alone (SDM vol. 1 §8.1.8). */
function isControl(opcode: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  if (isNonWaiting(opcode, modrm)) return true;
  return modrm < 0xc0 && ((opcode === 0xd9 && (reg === 4 || reg === 5)) || (opcode === 0xdd && reg === 4));
}

/** FWAIT, and the check that every waiting instruction makes first: whether #MF is due (SDM vol. 1 §8.7). */
export function x87Pending(unit: X87Unit): boolean {
  return (unit.fsw & ES) !== 0;
}

/**
 * One x87 instruction by opcode D8..DF and ModRM: X87_DONE, X87_UNDEFINED (#UD) or X87_ERROR (#MF). The caller has
 * already dealt with CR0.EM and CR0.TS (#NM); nothing but memory has changed when `store` or `load` throws.
 */
export function executeX87(unit: X87Unit, opcode: number, modrm: number): number {
  const action = actionOf(opcode, modrm);
  if (action === undefined) return X87_UNDEFINED;
  const summary = unit.fsw & ES;
  if (summary !== 0 && !isNonWaiting(opcode, modrm)) return X87_ERROR;
  action(unit, modrm & 7);
  if (!isControl(opcode, modrm)) record(unit, opcode, modrm, summary);
  return X87_DONE;
}

/** FIP and FDP always; FOP when an unmasked exception became pending (SDM vol. 1 §8.1.9). */
function record(unit: X87Unit, opcode: number, modrm: number, summary: number): void {
  unit.fip = unit.instructionPointer;
  unit.fcs = unit.codeSelector;
  if (modrm < 0xc0) {
    unit.fdp = unit.dataPointer;
    unit.fds = unit.dataSelector;
  }
  if (summary === 0 && (unit.fsw & ES) !== 0) unit.fop = ((opcode & 7) << 8) | modrm;
}

import { nearest, orNearest } from '../../base/nearest.ts';
import { constantNames, constantsOf, meaningsOf } from './constants.ts';
import { apply, bit, isSeveral, isTrue, type One, type Value } from './operators.ts';
import { type Place, refuse } from './source.ts';
import { type MemoryWord, readTree, type Tree } from './tree.ts';

/** What names mean where an expression is asked. */
export interface Scope {
  register(name: string): bigint;
  /** A field of the event at hand; undefined: it has no such field. */
  field(name: string): Value;
  /** A symbol's address. */
  symbol(name: string): bigint;
  memory(address: bigint, size: number, space: MemoryWord['space']): bigint;
  /** What is watched, before and after the access that was met. */
  readonly changed?: { readonly old: Value; readonly new: Value };
}

/** The names an expression may use, known before it is asked. */
export interface Names {
  /** Fields of the events it is about; absent: it is about none. */
  readonly fields?: ReadonlySet<string>;
  hasSymbol(name: string): boolean;
  /** Undefined: there is no machine to look at. */
  readonly registers: { has(name: string): boolean; all(): Iterable<string> } | undefined;
  /** `$old` and `$new` mean something. */
  readonly changes: boolean;
}

/** A parsed expression: it looks at a scope and changes nothing. */
export interface Expression {
  readonly text: string;
  /** Registers or memory are looked at: it means something else at every place of the run. */
  readonly looks: boolean;
  /** `$old` or `$new` is asked for. */
  readonly compares: boolean;
  /** Undefined: it is about a field that this event does not have. */
  value(scope: Scope): Value;
}

type Asked = (scope: Scope) => Value;

/** Names of a field's values, for what stands on the other side of an operator. */
type Table = ReadonlyMap<string, number> | undefined;

interface Binder {
  readonly text: string;
  readonly names: Names;
  looks: boolean;
  compares: boolean;
}

/**
 * Read an expression: C's operators over unsigned 64-bit numbers, fields of events with the names of their numbers,
 * `$rax`, symbols, `u32[ADDR]` for linear and `p32[ADDR]` for guest-physical memory. `==` and `!=` compare text, too.
 * Throws a Problem that names the column.
 */
export function parseExpression(text: string, names: Names): Expression {
  const binder: Binder = { text, names, looks: false, compares: false };
  const value = bound(binder, readTree(text), undefined);
  const { looks, compares } = binder;
  return { text: text.trim(), looks, compares, value };
}

/** Whether it holds; what is about a field that this event does not have does not, nor does its contrary. */
export const holds = (expression: Expression, scope: Scope): boolean => isTrue(expression.value(scope));

/** The number an expression comes to. */
export function numberIn(expression: Expression, scope: Scope): bigint {
  const value = expression.value(scope);
  if (typeof value === 'bigint') return BigInt.asUintN(64, value);
  return refuse({ text: expression.text, at: 0 }, `'${value}' is text and no number.`);
}

function bound(binder: Binder, tree: Tree, table: Table): Asked {
  const place: Place = { text: binder.text, at: tree.at };
  switch (tree.is) {
    case 'number':
    case 'text': {
      const { value } = tree;
      return () => value;
    }
    case 'register':
      return boundRegister(binder, tree.name, place);
    case 'name':
      return boundName(binder, tree.name, table, place);
    case 'memory': {
      const { size, space } = tree.word;
      checkMachine(binder, place);
      const address = bound(binder, tree.address, undefined);
      return (scope) => {
        const at = numeric(address(scope), place);
        return at === undefined ? undefined : scope.memory(BigInt.asUintN(64, at), size, space);
      };
    }
    case 'prefix':
      return boundPrefix(bound(binder, tree.operand, table), tree.operator, place);
    default:
      return boundBinary(binder, tree, table, place);
  }
}

/** Of several values the first. */
function numeric(value: Value, place: Place): bigint | undefined {
  const one: One | undefined = isSeveral(value) ? value[0] : value;
  return typeof one === 'string' ? refuse(place, `'${one}' is text and no number.`) : one;
}

function boundPrefix(operand: Asked, operator: string, place: Place): Asked {
  if (operator === '!') {
    return (scope) => {
      const value = operand(scope);
      return value === undefined ? undefined : bit(!isTrue(value));
    };
  }
  const act = { '-': (a: bigint) => BigInt.asIntN(64, -a), '~': (a: bigint) => BigInt.asUintN(64, ~a) }[operator];
  return (scope) => {
    const value = numeric(operand(scope), place);
    return act === undefined || value === undefined ? value : act(value);
  };
}

function boundBinary(binder: Binder, tree: Extract<Tree, { is: 'binary' }>, table: Table, place: Place): Asked {
  const { operator } = tree;
  const isJoin = operator === '&&' || operator === '||';
  const left = bound(binder, tree.left, isJoin ? undefined : (tableOf(binder, tree.right) ?? table));
  const right = bound(binder, tree.right, isJoin ? undefined : (tableOf(binder, tree.left) ?? table));
  if (!isJoin) return (scope) => apply(operator, left(scope), right(scope), place);
  // One side that decides does so whatever the other is: what an event does not have is neither true nor false.
  const decides = operator === '||';
  return (scope) => {
    const one = left(scope);
    if (one !== undefined && isTrue(one) === decides) return bit(decides);
    const other = right(scope);
    if (other !== undefined && isTrue(other) === decides) return bit(decides);
    return one === undefined || other === undefined ? undefined : bit(!decides);
  };
}

/** Names that values of a field in it have. */
function tableOf(binder: Binder, tree: Tree): Table {
  if (tree.is === 'name') return binder.names.fields?.has(tree.name) === true ? constantsOf(tree.name) : undefined;
  if (tree.is === 'prefix') return tableOf(binder, tree.operand);
  if (tree.is !== 'binary' || !['&', '|', '^'].includes(tree.operator)) return undefined;
  return tableOf(binder, tree.left) ?? tableOf(binder, tree.right);
}

function checkMachine(binder: Binder, place: Place): NonNullable<Names['registers']> {
  binder.looks = true;
  const { registers } = binder.names;
  return registers ?? refuse(place, 'Registers and memory are known at a stop of `retrovisor debug` alone.');
}

function boundRegister(binder: Binder, name: string, place: Place): Asked {
  if (name === 'old' || name === 'new') {
    if (!binder.names.changes) refuse(place, `$${name} means something where \`watch\` stops, for up to 8 bytes.`);
    binder.compares = true;
    return ({ changed }) => changed?.[name];
  }
  const registers = checkMachine(binder, place);
  if (!registers.has(name)) refuse(place, `No register is named ${name}${orNearest(name, registers.all())}`);
  return (scope) => scope.register(name);
}

function boundName({ names }: Binder, name: string, table: Table, place: Place): Asked {
  const { fields } = names;
  if (fields?.has(name) === true) return (scope) => scope.field(name);
  const meant = table?.get(name);
  if (meant !== undefined) return () => BigInt(meant);
  if (names.hasSymbol(name)) return (scope) => scope.symbol(name);
  const meanings = meaningsOf(name);
  const [first] = meanings;
  if (first === undefined) return refuse(place, unknown(name, fields, table));
  if (meanings.some(([, number]) => number !== first[1])) {
    const all = meanings.map(([field, number]) => `${number} as ${field}`).join(', ');
    return refuse(place, `${name} is ${all}: compare it with one of these.`);
  }
  return () => BigInt(first[1]);
}

function unknown(name: string, fields: ReadonlySet<string> | undefined, table: Table): string {
  if (fields === undefined) return `No symbol is named ${name}.`;
  if (table !== undefined) return `No value of the field is named ${name}${orNearest(name, table.keys())}`;
  const near = nearest(name, fields).length > 0 ? fields : constantNames();
  return `No field is named ${name}${orNearest(name, near)}`;
}

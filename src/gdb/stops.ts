import type { Watchpoint } from '../engine/index.ts';
import { bytesOf, hexNumber } from './packet.ts';

/** The breakpoints gdb has set, each with its conditions, and its watchpoints. */
export interface StopsSet {
  readonly breakpoints: Map<bigint, readonly Uint8Array[]>;
  readonly watchpoints: Map<string, Watchpoint>;
}

const MALFORMED = 'E22';
const MOST_WATCHED = 1 << 20;
const MOST_WATCHED_IN_ALL = 1 << 24;
/** Breakpoints, and watchpoints; each is looked at again whenever the run goes on. */
const MOST_STOPS = 4096;
const MOST_CONDITIONS = 16;
const TOO_MANY = 'E.There are too many breakpoints, watchpoints or conditions.';

const WATCH_KINDS: ReadonlyMap<string | undefined, Watchpoint['on']> = new Map([
  ['2', 'write'],
  ['3', 'read'],
  ['4', 'access'],
]);

/** `type,address,kind[;X length,bytecode]...`. Nothing is ever written into the guest. */
export function insertStop(stub: StopsSet, rest: string): string {
  const [place, ...options] = rest.split(';');
  const [type, addressText, kindText] = (place as string).split(',');
  const address = hexNumber(addressText);
  const length = hexNumber(kindText);
  if (address === undefined || length === undefined) return MALFORMED;
  const on = WATCH_KINDS.get(type);
  if (on !== undefined) {
    if (length > BigInt(MOST_WATCHED)) return `E.A watchpoint may cover ${MOST_WATCHED} bytes at most.`;
    const watched = [...stub.watchpoints.values()].reduce((sum, each) => sum + each.length, Number(length));
    if (watched > MOST_WATCHED_IN_ALL || stub.watchpoints.size >= MOST_STOPS) return TOO_MANY;
    stub.watchpoints.set(`${on} ${address} ${length}`, { address, length: Number(length), on });
    return 'OK';
  }
  if (type !== '0' && type !== '1') return '';
  const conditions = conditionsIn(options.join(';'));
  if (conditions === undefined) return MALFORMED;
  if (conditions.length > MOST_CONDITIONS || stub.breakpoints.size >= MOST_STOPS) return TOO_MANY;
  stub.breakpoints.set(address, conditions);
  return 'OK';
}

/** `X3,221327X...`: each its length in bytes and its code. */
function conditionsIn(text: string): readonly Uint8Array[] | undefined {
  const conditions: Uint8Array[] = [];
  let at = 0;
  while (at < text.length && text[at] === 'X') {
    const comma = text.indexOf(',', at);
    const length = hexNumber(text.slice(at + 1, comma));
    if (comma < 0 || length === undefined) return undefined;
    const end = comma + 1 + 2 * Number(length);
    const code = bytesOf(text.slice(comma + 1, end));
    if (code === undefined || code.length !== Number(length)) return undefined;
    conditions.push(code);
    at = end;
  }
  return conditions;
}

export function removeStop(stub: StopsSet, rest: string): string {
  const [type, addressText, kindText] = rest.split(',');
  const address = hexNumber(addressText);
  const length = hexNumber(kindText);
  if (address === undefined || length === undefined) return MALFORMED;
  const on = WATCH_KINDS.get(type);
  if (on !== undefined) stub.watchpoints.delete(`${on} ${address} ${length}`);
  else stub.breakpoints.delete(address);
  return 'OK';
}

import { Problem } from '../../base/problem.ts';
import { sourceName, type Stamped } from '../../events/stamped.ts';
import { describeStamped } from '../../replay/divergence.ts';
import { type Followed, followedRegister, followedState, hearAllChanges, lastChange } from './changes.ts';
import { gpasOf, linearRip, physicalOf } from '../../machine/guest-view.ts';
import {
  bytesIn,
  type Change,
  changesMapping,
  entriesOf,
  hearAllWrites,
  lastWrite,
  type MemoryWrite,
  type Piece,
  piecesOf,
} from './memory-writes.ts';
import { disassembly } from '../look/instructions.ts';
import { evaluate, named } from '../look/vantage.ts';
import type { DebugSession } from '../session.ts';
import { type Here, hereOf, stand, staying } from '../stops/windows.ts';

/** What is asked about: memory, whose writes are heard, or a value, whose changes are. */
type Asked =
  /** `entries`: what maps a linear address there. */
  | { readonly name: string; readonly pieces: readonly Piece[]; readonly entries: readonly Piece[] }
  | { readonly name: string; readonly followed: Followed };

const LONGEST = 4096;
const STATE = /^(schedule|kvm|vmm|random|hostMemory)\.[\w.]+$/;

/** `ADDR[/BYTES]` linear, `phys:ADDR[/BYTES]`, `$register`, or a path of the state such as `kvm.vcpus.0.mpState`. */
function askedAbout(session: DebugSession, words: string): Asked {
  const { view, vcpu } = session;
  if (STATE.test(words)) {
    const followed = followedState(session, words);
    if (followed.read() === 'nothing') throw new Problem(`The state has no field ${words} here.`);
    return { name: words, followed };
  }
  const register = /^\$(\w+)$/.exec(words)?.[1];
  if (register !== undefined) return { name: words, followed: followedRegister(session, register, vcpu) };
  const match = /^(phys:)?\s*(.*?)(?:\/(\d+))?$/.exec(words) as RegExpExecArray;
  if (match[2] === '') throw new Problem('Say which address: `why ADDR[/BYTES]`.');
  const length = Number(match[3] ?? 8);
  if (length < 1 || length > LONGEST) throw new Problem(`${length} is not a length from 1 to ${LONGEST}.`);
  const address = evaluate(session, match[2] as string);
  const space = match[1] === undefined ? 'linear' : 'physical';
  const pieces = piecesOf(view, vcpu, address, length, space);
  const gpa = space === 'linear' ? physicalOf(view, vcpu, address) : undefined;
  const where = space === 'linear' ? named(session, address) : `physical 0x${address.toString(16)}`;
  const through = gpa === undefined || BigInt(gpa) === address ? '' : `, physical 0x${gpa.toString(16)}`;
  const entries = space === 'linear' ? entriesOf(view, vcpu, address) : [];
  return { name: `${where}/${length}${through}`, pieces, entries };
}

/** Events that tell why the hypervisor or a device wrote to guest memory or set a register. */
const EXPLAIN = /^(kvm_pvclock_update|sim:task_switched|kvm_pv_eoi|kvm_msr|kvm_hypercall|sim:intervened)$/;

/** The event that goes with a write from outside: the nearest that explains one, or the one before. */
function explaining({ run, view }: DebugSession, { seq }: Change, pieces: readonly Piece[]): Stamped | undefined {
  const first = run.events[0]?.seq ?? 0;
  const around = [seq, seq - 1, seq + 1, seq - 2, seq - 3].map((each) => run.events[each - first]);
  const explains = (stamped: Stamped | undefined): boolean => {
    const event = stamped?.event;
    if (event?.kind !== 'sim:dma') return event !== undefined && EXPLAIN.test(event.kind);
    const isThere = ({ host, length }: Piece): boolean =>
      gpasOf(view, host).some((gpa) => gpa < event.gpa + event.len && event.gpa < gpa + length);
    return event.dir === 'write' && pieces.some(isThere);
  };
  return around.find(explains) ?? around[1];
}

/** Who wrote, and through which instruction. Stands at the instruction afterwards. */
function describeWriter(session: DebugSession, write: MemoryWrite, pieces: readonly Piece[]): string[] {
  const { tick, by } = write;
  if (by === 'outside') {
    const event = explaining(session, write, pieces);
    const with_ = event === undefined ? '' : `, with ${sourceName(event.source)} ${describeStamped(event)}`;
    return [`at tick ${tick} from outside the guest${with_}`];
  }
  stand(session, tick);
  session.stood(write.vcpu);
  const [line = ''] = disassembly(session, linearRip(session.view, write.vcpu), 1);
  const instruction = line.trim().replace(/^=> /, '');
  const how = { instruction: '', delivery: ' by the delivery of an event before', walk: ' by the page walk of' }[by];
  return [`at tick ${tick} by vcpu${write.vcpu}${how}: ${instruction}`];
}

/** What happened at a change of a register or of a field of the state. */
function describeChange(session: DebugSession, { tick, seq }: Change, isRegister: boolean): string[] {
  const { events } = session.run;
  const first = events[0]?.seq ?? 0;
  if (!isRegister) {
    session.goTo(tick);
    const [before, after] = [events[seq - 1 - first], events[seq - first]];
    return [
      `at tick ${tick}, between these events:`,
      ...[before, after].flatMap((stamped) => (stamped === undefined ? [] : [`  ${describeStamped(stamped)}`])),
    ];
  }
  stand(session, tick);
  if (session.now.seq >= seq) stand(session, Math.max(0, tick - 1));
  const { vcpu } = session;
  const { seq: from, tick: at } = session.now;
  const [line = ''] = disassembly(session, linearRip(session.view, vcpu), 1);
  const between: string[] = [];
  for (let each = Math.max(from, seq - EVENTS_SHOWN); each < seq; each += 1) {
    const stamped = events[each - first];
    if (stamped !== undefined) between.push(`  then ${describeStamped(stamped)}`);
  }
  return [`at tick ${at} by vcpu${vcpu}: ${line.trim().replace(/^=> /, '')}`, ...between];
}

const EVENTS_SHOWN = 6;

/** `why WHAT`: who wrote or changed it last before here, and when. The session stays where it is. */
export function why(session: DebugSession, words: string): string {
  const asked = askedAbout(session, words);
  return staying(session, () => {
    const here = hereOf(session);
    if ('pieces' in asked) {
      const value = bytesIn(session.view, asked.pieces);
      const write = lastWrite(session, asked.pieces, here);
      const mapped = remapped(session, asked.entries, here, write);
      if (write === undefined) {
        return [`${asked.name} has not been written since power-on: ${value}.`, ...mapped].join('\n');
      }
      return [told(asked.name, write, describeWriter(session, write, asked.pieces)), ...mapped].join('\n');
    }
    const value = asked.followed.read();
    const change = lastChange(session, asked.followed, here);
    if (change === undefined) return `${asked.name} has not changed since power-on: ${value}.`;
    const how = describeChange(session, change, words.startsWith('$'));
    return told(asked.name, { ...change, tick: session.now.tick }, how);
  });
}

/** When the address came to lead there after what lies there was last written. */
function remapped(
  session: DebugSession,
  entries: readonly Piece[],
  here: Here,
  write: MemoryWrite | undefined,
): string[] {
  if (entries.length === 0 || write === undefined) return [];
  const change = lastWrite(session, entries, here, changesMapping, write.tick);
  if (change === undefined || change.tick <= write.tick) return [];
  const lines = describeWriter(session, change, entries).map((line) => `  ${line}`);
  return ['The address was mapped there only later:', ...lines];
}

const told = (name: string, { before, after, tick }: Change, how: readonly string[]): string =>
  [`${name}: ${before} -> ${after}`, ...how, `\`at ${tick}\` stands before it.`].join('\n');

const SHOWN = 40;

/** `history WHAT`: every write to memory over the run, or every change of a register or a field of the state. */
export function history(session: DebugSession, words: string): string {
  const asked = askedAbout(session, words);
  return staying(session, () => {
    const isMemory = 'pieces' in asked;
    const value = isMemory ? bytesIn(session.view, asked.pieces) : asked.followed.read();
    const ends = endsOf<Change>();
    if (isMemory) hearAllWrites(session, asked.pieces, ends.add);
    else hearAllChanges(session, asked.followed, ends.add);
    const { count, first, last } = ends;
    const what = isMemory ? 'write' : 'change';
    if (count() === 0) return `${asked.name}: no ${what}s; ${value}`;
    const between = count() > SHOWN ? [`  and ${count() - SHOWN} more`] : [];
    const rows = [...first.map(rowOf), ...between, ...last.map(rowOf)];
    return [`${asked.name}: ${count()} ${what}${count() === 1 ? '' : 's'}`, ...rows].join('\n');
  });
}

/** The first and the last of many, and how many there were: a hot word is written a hundred million times. */
function endsOf<T>() {
  const first: T[] = [];
  const last: T[] = [];
  let count = 0;
  return {
    first,
    last,
    count: () => count,
    add(each: T): void {
      count += 1;
      if (count <= SHOWN / 2) first.push(each);
      else last.push(each);
      if (last.length > SHOWN / 2) last.shift();
    },
  };
}

function rowOf(change: Change & Partial<MemoryWrite>): string {
  const { tick, before, after, by, vcpu } = change;
  const who = by === undefined ? '' : by === 'instruction' ? `  vcpu${vcpu}` : `  ${WRITERS[by]}`;
  return `  tick ${tick}: ${before} -> ${after}${who}`;
}

const WRITERS = { delivery: 'delivery of an event', walk: 'page walk', outside: 'outside the guest' } as const;

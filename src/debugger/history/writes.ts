import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
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
import { sectorsNamed } from '../../replay/disk/drives.ts';
import { changesOf, historyText, lastChangeText } from './disk-changes.ts';
import { packetWay } from './packet-way.ts';
import { disassembly } from '../look/instructions.ts';
import { evaluate, named } from '../look/vantage.ts';
import type { DebugSession } from '../session.ts';
import { type Here, hereOf, staying } from '../stops/windows.ts';
import { type FieldDifference, printed } from './state-difference.ts';

/** What is asked about: memory, whose writes are heard, or a value, whose changes are. */
type Asked = AskedMemory | AskedValue;

interface AskedMemory {
  readonly name: string;
  readonly pieces: readonly Piece[];
  /** What maps a linear address there. */
  readonly entries: readonly Piece[];
}

interface AskedValue {
  readonly name: string;
  readonly followed: Followed;
}

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
function* describeWriter(session: DebugSession, write: MemoryWrite, pieces: readonly Piece[]): Work<string[]> {
  const { tick, by } = write;
  if (by === 'outside') {
    const event = explaining(session, write, pieces);
    const with_ = event === undefined ? '' : `, with ${sourceName(event.source)} ${describeStamped(event)}`;
    return [`at tick ${tick} from outside the guest${with_}`];
  }
  yield* session.standing(tick);
  session.stood(write.vcpu);
  const [line = ''] = disassembly(session, linearRip(session.view, write.vcpu), 1);
  const instruction = line.trim().replace(/^=> /, '');
  const how = { instruction: '', delivery: ' by the delivery of an event before', walk: ' by the page walk of' }[by];
  return [`at tick ${tick} by vcpu${write.vcpu}${how}: ${instruction}`];
}

/** What happened at a change of a register. Stands before it afterwards. */
function* describeRegister(session: DebugSession, { tick, seq }: Change): Work<string[]> {
  const { events } = session.run;
  const first = events[0]?.seq ?? 0;
  yield* session.standing(tick);
  if (session.now.seq >= seq) yield* session.standing(Math.max(0, tick - 1));
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

/** Which event changed the state, what else with it, and what the guest was about to execute. Stands before it. */
function* describeState(session: DebugSession, change: Change): Work<string[]> {
  const { tick, event, leaves = [] } = change;
  yield* session.going(event === undefined ? tick : { seq: event.seq, tick });
  const [, ...more] = leaves;
  return [
    event === undefined ? `at tick ${tick}` : `by event ${describeStamped(event)}`,
    ...(change.rip === undefined ? [] : [`the guest at ${named(session, change.rip)}`]),
    ...more.map((leaf) => `  ${leafText(leaf)}`),
  ];
}

const leafText = ({ path, left, right }: FieldDifference): string => `${path}: ${printed(left)} -> ${printed(right)}`;

const EVENTS_SHOWN = 6;

/** `why WHAT`: who wrote or changed it last before here, and when. The session stays where it is. */
export const why = (session: DebugSession, words: string): Work<string> => {
  const packet = PACKET.exec(words)?.[1];
  if (packet !== undefined) return packetWay(session, packet);
  const sectors = DISK.exec(words)?.[1];
  if (sectors !== undefined) return whyOnDisk(session, sectors);
  const asked = askedAbout(session, words);
  const here = hereOf(session);
  return staying(
    session,
    'pieces' in asked ? whyWritten(session, asked, here) : whyChanged(session, asked, here, words.startsWith('$')),
  );
};

/** `packet:N`. */
const PACKET = /^packet:\s*(.*)$/;

/** `disk:[ID:]SECTOR[+COUNT]`. */
const DISK = /^disk:\s*(.*)$/;

function* whyOnDisk({ run: { events }, symbols, seq, view }: DebugSession, words: string): Work<string> {
  const named = sectorsNamed(view.machine.state.config.drives, words);
  return lastChangeText({ events, symbols }, named, yield* changesOf(events, named), seq);
}

function* historyOnDisk(session: DebugSession, words: string, isAll: boolean): Work<string> {
  const { run, symbols, view } = session;
  const named = sectorsNamed(view.machine.state.config.drives, words);
  return historyText({ events: run.events, symbols }, named, yield* changesOf(run.events, named), isAll);
}

function* whyWritten(session: DebugSession, asked: AskedMemory, here: Here): Work<string> {
  const { name, pieces, entries } = asked;
  const value = bytesIn(session.view, pieces);
  const write = yield* lastWrite(session, pieces, here);
  const mapped = yield* remapped(session, entries, here, write);
  if (write === undefined) return [`${name} has not been written since power-on: ${value}.`, ...mapped].join('\n');
  const how = yield* describeWriter(session, write, pieces);
  return [told(name, write, how, `tick ${write.tick}`), ...mapped].join('\n');
}

function* whyChanged(session: DebugSession, asked: AskedValue, here: Here, isRegister: boolean): Work<string> {
  const value = asked.followed.read();
  const change = yield* lastChange(session, asked.followed, here);
  if (change === undefined) return `${asked.name} has not changed since power-on: ${value}.`;
  if (!isRegister) {
    const how = yield* describeState(session, change);
    const { event, tick, leaves = [] } = change;
    const before = event === undefined || event.seq === 0 ? `tick ${tick}` : `#${event.seq - 1}`;
    const [leaf = { path: asked.name, left: undefined, right: undefined }] = leaves;
    return told(leaf.path, { before: printed(leaf.left), after: printed(leaf.right) }, how, before);
  }
  const how = yield* describeRegister(session, change);
  return told(asked.name, change, how, `tick ${session.now.tick}`);
}

/** When the address came to lead there after what lies there was last written. */
function* remapped(
  session: DebugSession,
  entries: readonly Piece[],
  here: Here,
  write: MemoryWrite | undefined,
): Work<string[]> {
  if (entries.length === 0 || write === undefined) return [];
  const change = yield* lastWrite(session, entries, here, changesMapping, write.tick);
  if (change === undefined || change.tick <= write.tick) return [];
  const lines = (yield* describeWriter(session, change, entries)).map((line) => `  ${line}`);
  return ['The address was mapped there only later:', ...lines];
}

type Values = Pick<Change, 'before' | 'after'>;

const told = (name: string, { before, after }: Values, how: readonly string[], place: string): string =>
  [`${name}: ${before} -> ${after}`, ...how, `\`at ${place}\` stands before it.`].join('\n');

const SHOWN = 40;
/** What `--all` shows at most: a hot word is written a hundred million times. */
const ALL = 1_000_000;

/** `history WHAT [--all]`: every write to memory over the run, or every change of a register or of the state. */
export const history = (session: DebugSession, words: string): Work<string> => {
  const isAll = /--all\b/.test(words);
  const what = words.replace(/\s*--all\b\s*/, ' ').trim();
  const sectors = DISK.exec(what)?.[1];
  if (sectors !== undefined) return historyOnDisk(session, sectors, isAll);
  const asked = askedAbout(session, what);
  const ends = endsOf<Change>(isAll ? ALL : SHOWN);
  return staying(session, wholeHistory(session, asked, ends));
};

function* wholeHistory(session: DebugSession, asked: Asked, ends: Ends<Change>): Work<string> {
  const isMemory = 'pieces' in asked;
  const value = isMemory ? bytesIn(session.view, asked.pieces) : asked.followed.read();
  if (isMemory) yield* hearAllWrites(session, asked.pieces, ends.add);
  else yield* hearAllChanges(session, asked.followed, ends.add);
  const { count, first, last } = ends;
  const what = isMemory ? 'write' : 'change';
  if (count() === 0) return `${asked.name}: no ${what}s; ${value}`;
  const left = count() - first.length - last.length;
  const between = left > 0 ? [`  and ${left} more${ends.most < ALL ? ': `--all` shows them' : ''}`] : [];
  const rows = (changes: readonly Change[]): string[] => changes.flatMap((change) => rowsOf(session, change));
  const head = `${asked.name}: ${count()} ${what}${count() === 1 ? '' : 's'}`;
  return [head, ...rows(first), ...between, ...rows(last)].join('\n');
}

/** The first and the last of many, and how many there were. */
interface Ends<T> {
  readonly most: number;
  readonly first: readonly T[];
  readonly last: readonly T[];
  count(): number;
  add(each: T): void;
}

function endsOf<T>(most: number): Ends<T> {
  const first: T[] = [];
  const last: T[] = [];
  let count = 0;
  return {
    most,
    first,
    last,
    count: () => count,
    add(each: T): void {
      count += 1;
      if (count <= most / 2) first.push(each);
      else last.push(each);
      if (last.length > most / 2) last.shift();
    },
  };
}

/** One for a write, and one for each field of the state that an event changed. */
function rowsOf(session: DebugSession, change: Change & Partial<MemoryWrite>): string[] {
  const { tick, before, after, by, vcpu, leaves, event, rip } = change;
  if (leaves !== undefined) {
    const writer = event === undefined ? '' : `  ${sourceName(event.source)} ${event.event.kind} #${event.seq}`;
    const at = rip === undefined ? '' : ` at ${named(session, rip)}`;
    return leaves.map((leaf) => `  tick ${tick}: ${leafText(leaf)}${writer}${at}`);
  }
  const who = by === undefined ? '' : by === 'instruction' ? `  vcpu${vcpu}` : `  ${WRITERS[by]}`;
  return [`  tick ${tick}: ${before} -> ${after}${who}`];
}

const WRITERS = { delivery: 'delivery of an event', walk: 'page walk', outside: 'outside the guest' } as const;

import { Problem } from '../base/problem.ts';
import { sourceName } from '../events/stamped.ts';
import { describeStamped } from '../replay/divergence.ts';
import { type Change, changesBetween, eventsOfTick, lastChange, type Reading } from './changes.ts';
import { linearRip, readLinear, readPhysical } from './guest-view.ts';
import { endOf } from './places.ts';
import { type DebugSession, disassembly, evaluate, named } from './session.ts';
import { printed } from './state-difference.ts';

const DIGITS = 2;
const hexOf = (bytes: Uint8Array): string =>
  `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(DIGITS, '0'))
    .reverse()
    .join('')}`;

/** What is asked about, and how it is read where the session stands. */
interface Watched {
  readonly name: string;
  readonly read: Reading;
  /** Linear memory: an instruction that writes it can be caught in the act. */
  readonly linear?: { readonly address: bigint; readonly length: number };
}

const LONGEST_WATCHED = 64;

/** `ADDR[/BYTES]` linear, `phys:ADDR[/BYTES]`, `$register`, or a path of the state such as `kvm.vcpus.0.mpState`. */
function watchedOf(session: DebugSession, words: string): Watched {
  const { view, vcpu } = session;
  if (/^(clock|schedule|kvm|vmm|random)\./.test(words))
    return { name: words, read: () => printed(stateAt(session, words)) };
  if (/^\$\w+$/.test(words)) return { name: words, read: () => `0x${evaluate(session, words).toString(16)}` };
  const match = /^(phys:)?([^/]+)(?:\/(\d+))?$/.exec(words);
  if (match === null) throw new Problem('Say which address: `why ADDR[/BYTES]`.');
  const length = Number(match[3] ?? 8);
  if (length < 1 || length > LONGEST_WATCHED) throw new Problem(`At most ${LONGEST_WATCHED} bytes can be looked at.`);
  const address = evaluate(session, match[2] as string);
  const read = (): string => {
    const bytes =
      match[1] === undefined ? readLinear(view, vcpu, address, length) : readPhysical(view, Number(address), length);
    return bytes.length < length ? 'not mapped' : hexOf(bytes);
  };
  const name = `${named(session, address)}/${length}`;
  return match[1] === undefined ? { name, read, linear: { address, length } } : { name, read };
}

function stateAt(session: DebugSession, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      session.view.machine.state,
    );
}

/** Kinds whose subject writes guest memory or registers besides instructions. */
const WRITERS =
  /^(sim:dma|sim:emulated|kvm_pvclock_update|sim:task_switched|kvm_pv_eoi|sim:serial_received|sim:intervened)$/;

const CHANGES_SHOWN = 40;

/** Who wrote, where the session stands: before the write. */
function writer(session: DebugSession, { tick, before, after }: Change, name: string, isAct: boolean): string[] {
  const { timeline } = session.run;
  const { events } = eventsOfTick(timeline, tick);
  session.follow(session.traveller.go(tick));
  const { vcpu } = session;
  const [instruction = ''] = disassembly(session, linearRip(session.view, vcpu), 1);
  const others = events.filter(({ event }) => WRITERS.test(event.kind));
  const by = isAct ? `by vcpu${vcpu}` : `in the time of vcpu${vcpu}, at`;
  return [
    `${name}: ${before} -> ${after}`,
    `at tick ${tick} ${by}: ${instruction.trim().replace(/^=> /, '')}`,
    ...others.map((stamped) => `  with ${sourceName(stamped.source)} ${describeStamped(stamped)}`),
  ];
}

/** The last instruction before here that wrote to linear memory, found by running windows again with a watch. */
function lastWrite(session: DebugSession, { read, linear }: Watched): Change | undefined {
  if (linear === undefined) return undefined;
  const { traveller, run } = session;
  const stop = session.follow(
    traveller.runBack({ breakpoints: [], watchpoints: [{ ...linear, on: 'write' }], isWanted: () => true }),
  );
  if (stop.why !== 'watch') return undefined;
  const { tick } = run.timeline.now;
  const before = read();
  session.follow(traveller.go(tick + 1));
  return { tick, before, after: read() };
}

/** `why WHAT`: who wrote or changed it last before here, and when. */
export function why(session: DebugSession, words: string): string {
  const watched = watchedOf(session, words);
  const here = session.now;
  const { vcpu } = session;
  try {
    const write = lastWrite(session, watched);
    session.goTo(here);
    session.vcpu = vcpu;
    // A device or the hypervisor may have changed it since: no instruction is seen to do that.
    const change = lastChange(session.run.timeline, watched.read, write === undefined ? 0 : write.tick + 1);
    const found = change ?? write;
    if (found === undefined) return `${watched.name} has not changed since power-on: ${watched.read()}.`;
    const lines = writer(session, found, watched.name, change === undefined);
    return [...lines, `\`at ${found.tick}\` stands before it.`].join('\n');
  } finally {
    session.goTo(here);
    session.vcpu = vcpu;
  }
}

/** `history WHAT`: every write over the run, or every change of what no instruction writes. */
export function history(session: DebugSession, words: string): string {
  const watched = watchedOf(session, words);
  const here = session.now;
  const found =
    watched.linear === undefined
      ? changesBetween(session.run.timeline, 0, endOf(session.run.events).tick, watched.read, CHANGES_SHOWN)
      : allWrites(session, watched);
  session.goTo(here);
  const lines = found.map(({ tick, before, after }) => `  tick ${tick}: ${before} -> ${after}`);
  const what = watched.linear === undefined ? 'changes' : 'writes';
  const count = found.length === 0 ? `no ${what}; ${watched.read()}` : `${found.length} ${what}`;
  const more = found.length === CHANGES_SHOWN ? [`the first ${CHANGES_SHOWN}`] : [];
  return [`${watched.name}: ${count}`, ...lines, ...more].join('\n');
}

function allWrites(session: DebugSession, { read, linear }: Watched): Change[] {
  const { traveller, run } = session;
  const found: Change[] = [];
  session.follow(traveller.go(0));
  if (linear === undefined) return found;
  const wanted = { breakpoints: [], watchpoints: [{ ...linear, on: 'write' as const }], isWanted: () => true };
  for (let before = read(); found.length < CHANGES_SHOWN; ) {
    if (session.follow(traveller.run(wanted)).why !== 'watch') break;
    const after = read();
    found.push({ tick: run.timeline.now.tick - 1, before, after });
    before = after;
  }
  return found;
}

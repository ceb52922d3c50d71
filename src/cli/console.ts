import { printable } from '../base/printable.ts';
import type { Ns } from '../base/units.ts';
import type { CharacterPort } from '../runs/run-inputs.ts';
import type { Session, SessionEnd, SessionPause } from '../runs/underway/session.ts';
import { GUEST_FAILED } from '../reducers/run.ts';
import { statusOf, type Terminal } from '../host/terminal.ts';
import { Feed } from './feed.ts';
import type { Peer } from '../host/peer.ts';
import { complain } from '../host/output.ts';
import { ESCAPE_HELP, escapeAtStart, keyMeanings } from './escape.ts';
import type { MonitorLine } from './monitor-line.ts';
import { LONGEST_WAIT_MS, SILENCE_SKIPPED_NS, SLICE_MS } from './pace.ts';
import type { Typist } from '../runs/underway/typist.ts';

/** How a guest and the person at its console are joined. */
export interface ConsoleOptions {
  /** Ctrl-A leads to the monitor and out. */
  readonly monitor: boolean;
  /** Where standard input is typed; `undefined`: it goes nowhere. */
  readonly line: CharacterPort | undefined;
  /** Who else is at ports of the machine. */
  readonly peers?: readonly PeerAt[];
  /** `-no-shutdown`: a machine that is off is left standing. */
  readonly keepsOff?: boolean;
  /** Where the script types. */
  readonly scripted: CharacterPort;
  readonly typist: Typist;
  /** Wait for the monitor's `cont` before the first instruction. */
  readonly startsStopped?: boolean;
  /** The person said when the run ends, so that it needs nobody to end it. */
  readonly endsByItself?: boolean;
}

/** Somebody at a port of the machine. */
export interface PeerAt {
  readonly at: CharacterPort;
  readonly peer: Peer;
  /** The guest does not start before somebody is there. */
  readonly waits: boolean;
}

interface ConsoleState {
  readonly session: Session;
  readonly terminal: Terminal;
  readonly options: ConsoleOptions;
  readonly escape: { pending: boolean };
  /** What standard input has for the guest, if that goes anywhere. */
  readonly feed: Feed | undefined;
  readonly peers: readonly (PeerAt & { readonly feed: Feed })[];
  /** The guest has powered off, and its machine stands. */
  off: SessionEnd | undefined;
  /** The monitor has the keys while it is open; what was typed at it before is kept. */
  readonly monitor: { readonly made: Monitor | undefined; isOpen: boolean; line: MonitorLine | undefined };
  stopped: boolean;
  end: SessionEnd | undefined;
  /** Virtual time the guest idles until, and the host's time at which that comes. */
  idle: { readonly untilNs: Ns; readonly wakeAt: number } | undefined;
}

/** How soon a run that gdb lets go on goes on. */
const HELD_WAIT_MS = 5;
const KILLED: SessionEnd = { status: 0, sentence: 'Ended by gdb.' };
const QUIT: SessionEnd = { status: 0, sentence: 'Ended by Ctrl-A x.' };

type Monitor = typeof import('./monitor.ts') & typeof import('./monitor-line.ts');

/** What looks at machines is loaded where somebody can ask for it. */
const monitorFor = async (options: ConsoleOptions, { interactive }: Terminal): Promise<Monitor | undefined> =>
  options.monitor && interactive
    ? { ...(await import('./monitor.ts')), ...(await import('./monitor-line.ts')) }
    : undefined;

/** Run a guest with its console joined to the terminal until it ends or the person ends it. */
export async function runConsole(session: Session, terminal: Terminal, options: ConsoleOptions): Promise<SessionEnd> {
  const state: ConsoleState = {
    session,
    terminal,
    options,
    escape: escapeAtStart(),
    feed: options.line === undefined ? undefined : new Feed(options.line),
    peers: (options.peers ?? []).map((peer) => ({ ...peer, feed: new Feed(peer.at) })),
    off: undefined,
    monitor: { made: await monitorFor(options, terminal), isOpen: false, line: undefined },
    stopped: options.startsStopped === true,
    end: undefined,
    idle: undefined,
  };
  while (state.end === undefined) {
    takeInput(state);
    if (state.end !== undefined) break;
    const { live } = session;
    if (live?.isKilled === true) return KILLED;
    if (live?.isHeld === true || mustStand(state)) {
      session.flush();
      await terminal.wait(live?.isHeld === true ? HELD_WAIT_MS : LONGEST_WAIT_MS);
      continue;
    }
    const pause = session.run(SLICE_MS, isPaced(state));
    if (pause.pause === 'ended' && !keptOff(state, pause.end)) return pause.end;
    await rest(state, pause);
  }
  return state.end;
}

function takeInput(state: ConsoleState): void {
  const { terminal, options, session } = state;
  const signal = terminal.signal();
  if (signal !== undefined) {
    state.end = { status: statusOf(signal), sentence: `Ended by ${signal}.` };
    return;
  }
  // What the guest does not take is not read further; the keys of a person always are: they may ask to end.
  for (const bytes of state.feed?.isFull === true && !terminal.interactive ? [] : terminal.take()) {
    if (options.monitor && terminal.interactive) takeKeys(state, bytes);
    else state.feed?.add(bytes);
  }
  if (state.feed !== undefined && (terminal.interactive || session.listens(state.feed.at))) state.feed.pass(session);
  for (const { feed, peer } of state.peers) {
    if (!feed.isFull) for (const bytes of peer.take()) feed.add(bytes);
    if (session.listens(feed.at)) feed.pass(session);
  }
  const typed = options.typist.next();
  if (typed !== undefined) session.type(options.scripted, typed);
}

function takeKeys(state: ConsoleState, bytes: Uint8Array): void {
  for (const meaning of keyMeanings(state.escape, bytes)) {
    if (meaning.key === 'typed') {
      if (state.monitor.isOpen) state.monitor.line?.press(meaning.bytes);
      else state.feed?.add(meaning.bytes);
    } else if (meaning.key === 'quit') state.end = QUIT;
    else if (meaning.key === 'help') state.terminal.write(onTerminal(ESCAPE_HELP));
    else toggleMonitor(state);
  }
}

const onTerminal = (text: string): string => printable(text).replaceAll('\n', '\r\n');

function toggleMonitor(state: ConsoleState): void {
  const { terminal, monitor } = state;
  monitor.isOpen = !monitor.isOpen;
  terminal.write(monitor.isOpen ? '\r\nRetrovisor monitor: `help` lists commands\r\n' : '\r\n');
  if (!monitor.isOpen) return;
  monitor.line ??= monitor.made?.openMonitorLine(terminal, {
    line(text) {
      performMonitorLine(state, text);
      if (monitor.isOpen && state.end === undefined) monitor.line?.prompt();
    },
    end: () => toggleMonitor(state),
  });
  monitor.line?.prompt();
}

function performMonitorLine(state: ConsoleState, line: string): void {
  const answer = state.monitor.made?.answerMonitor(state.session, line);
  if (answer === undefined) return;
  const { text, then, send } = answer;
  if (send !== undefined) state.session.send(send);
  if (text !== '') state.terminal.write(onTerminal(`${text}\n`));
  if (then === 'quit') state.end = { status: 0, sentence: 'Ended by the monitor.' };
  if (then === 'stop') state.stopped = true;
  if (then === 'cont' && state.off !== undefined) state.terminal.write(onTerminal('The guest is off.\n'));
  if (then === 'cont') state.stopped = false;
  state.session.setStopped(state.stopped || state.off !== undefined);
}

const nothingMoreCanCome = ({ session, terminal, feed, peers }: ConsoleState): boolean =>
  !session.isAwaited && (feed === undefined || (terminal.ended() && feed.isEmpty)) && peers.length === 0;

/** The machine has stopped, and what may still be typed at the guest does not let it go on. */
const isStoppedForGood = ({ session, terminal, options }: ConsoleState): boolean =>
  session.view.machine.state.vmm.stopped !== undefined &&
  !(options.monitor && terminal.interactive) &&
  session.live === undefined &&
  !session.hasInputs;

/** The guest stands: somebody stopped it, it is off, nobody is there yet, or somebody reads too slowly. */
const mustStand = ({ stopped, off, peers, session }: ConsoleState): boolean =>
  stopped ||
  off !== undefined ||
  peers.some(({ peer, waits }) => peer.isBehind || (waits && !peer.isHere && session.now() === 0));

/** Whether a machine that came to its end is left standing, to be looked at. */
function keptOff(state: ConsoleState, end: SessionEnd): boolean {
  if (state.options.keepsOff !== true || end.status !== 0 || !state.session.isOff) return false;
  state.off = end;
  state.session.setStopped(true);
  complain('The guest has powered off; its machine is left standing.', state.terminal.interactive ? '\r\n' : '\n');
  return true;
}

/**
 * A guest that idles before a person waits in real time. Before a script its idle time is skipped at once, and when
 * nobody can type any more too, as long as it still prints now and then or the run has an end of its own.
 */
const isPaced = (state: ConsoleState): boolean =>
  state.session.isAwaited ||
  (state.options.typist.waitingFor() === undefined && (!nothingMoreCanCome(state) || mayIdleForEver(state)));

const mayIdleForEver = ({ session, options }: ConsoleState): boolean =>
  options.endsByItself !== true && session.silence() >= SILENCE_SKIPPED_NS;

/** Let the outside have its turn. */
async function rest(state: ConsoleState, pause: SessionPause): Promise<void> {
  const { terminal, session } = state;
  if (pause.pause !== 'idle') return terminal.wait(0);
  if (pause.untilNs === undefined) {
    if (nothingMoreCanCome(state) || isStoppedForGood(state)) state.end = haltedForGood(state);
    return terminal.wait(LONGEST_WAIT_MS);
  }
  const now = performance.now();
  if (state.idle?.untilNs !== pause.untilNs) {
    state.idle = { untilNs: pause.untilNs, wakeAt: now + (pause.untilNs - session.now()) / 1e6 };
  }
  const milliseconds = state.idle.wakeAt - now;
  if (milliseconds >= 1) await terminal.wait(Math.min(milliseconds, LONGEST_WAIT_MS));
  else session.warp();
}

function haltedForGood({ options, session }: ConsoleState): SessionEnd {
  const { sleep, stopped } = session.view.machine.state.vmm;
  const how = sleep === undefined ? 'The guest halted' : 'The guest sleeps (S3)';
  const waiting = options.typist.waitingFor();
  const script = waiting === undefined ? '' : ` The script still waits for ${JSON.stringify(waiting)}.`;
  const why =
    stopped === undefined
      ? `${how} and nothing is left that could wake it.`
      : `The machine stands where drive ${stopped.drive} failed, and nobody is there to let it go on.`;
  return { status: GUEST_FAILED, sentence: `${why}${script}` };
}

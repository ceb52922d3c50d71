import type { Ns } from '../base/units.ts';
import type { CharacterPort } from '../runs/run-inputs.ts';
import type { Session, SessionEnd, SessionPause } from '../runs/underway/session.ts';
import { GUEST_FAILED } from '../reducers/run.ts';
import type { Terminal } from '../host/terminal.ts';
import { ESCAPE_HELP, escapeAtStart, keyMeanings } from './escape.ts';
import { answerMonitor, MONITOR_PROMPT } from './monitor.ts';
import type { Typist } from '../runs/underway/typist.ts';

/** How a guest and the person at its console are joined. */
export interface ConsoleOptions {
  /** Ctrl-A leads to the monitor and out. */
  readonly monitor: boolean;
  /** Where standard input is typed; `undefined`: it goes nowhere. */
  readonly line: CharacterPort | undefined;
  /** Where the script types. */
  readonly scripted: CharacterPort;
  readonly typist: Typist;
  /** Wait for the monitor's `cont` before the first instruction. */
  readonly startsStopped?: boolean;
}

interface ConsoleState {
  readonly session: Session;
  readonly terminal: Terminal;
  readonly options: ConsoleOptions;
  readonly escape: { pending: boolean };
  /** Bytes for the guest that it does not listen to yet. */
  held: Uint8Array[];
  monitorLine: string | undefined;
  stopped: boolean;
  end: SessionEnd | undefined;
  /** Virtual time the guest idles until, and the host's time at which that comes. */
  idle: { readonly untilNs: Ns; readonly wakeAt: number } | undefined;
}

/** How long the guest runs between two looks at the outside. */
const SLICE_MS = 15;
const LONGEST_WAIT_MS = 250;
/** Idle time is not skipped for ever: a guest that says nothing for so long has nothing left to do. */
const SILENCE_SKIPPED_NS = 60e9;
/** How soon a run that gdb lets go on goes on. */
const HELD_WAIT_MS = 5;
const KILLED: SessionEnd = { status: 0, sentence: 'Ended by gdb.' };
const QUIT: SessionEnd = { status: 0, sentence: 'Ended by Ctrl-A x.' };

/** Run a guest with its console joined to the terminal until it ends or the person ends it. */
export async function runConsole(session: Session, terminal: Terminal, options: ConsoleOptions): Promise<SessionEnd> {
  const state: ConsoleState = {
    session,
    terminal,
    options,
    escape: escapeAtStart(),
    held: [],
    monitorLine: undefined,
    stopped: options.startsStopped === true,
    end: undefined,
    idle: undefined,
  };
  while (state.end === undefined) {
    takeInput(state);
    if (state.end !== undefined) break;
    const { live } = session;
    if (live?.isKilled === true) return KILLED;
    if (live?.isHeld === true || state.stopped) {
      session.flush();
      await terminal.wait(live?.isHeld === true ? HELD_WAIT_MS : LONGEST_WAIT_MS);
      continue;
    }
    const pause = session.run(SLICE_MS, isPaced(state));
    if (pause.pause === 'ended') return pause.end;
    await rest(state, pause);
  }
  return state.end;
}

function takeInput(state: ConsoleState): void {
  const { terminal, options, session } = state;
  const signal = terminal.signal();
  if (signal !== undefined) {
    state.end = { status: signal === 'SIGTERM' ? 143 : 130, sentence: `Ended by ${signal}.` };
    return;
  }
  for (const bytes of terminal.take()) {
    if (options.monitor && terminal.interactive) takeKeys(state, bytes);
    else state.held.push(bytes);
  }
  if (options.line === undefined) state.held = [];
  else if (state.held.length > 0 && (terminal.interactive || session.listens(options.line))) {
    session.type(options.line, Buffer.concat(state.held));
    state.held = [];
  }
  const typed = options.typist.next();
  if (typed !== undefined) session.type(options.scripted, typed);
}

function takeKeys(state: ConsoleState, bytes: Uint8Array): void {
  for (const meaning of keyMeanings(state.escape, bytes)) {
    if (meaning.key === 'quit') state.end = QUIT;
    else if (meaning.key === 'help') state.terminal.write(onTerminal(ESCAPE_HELP));
    else if (meaning.key === 'monitor') toggleMonitor(state);
    else if (state.monitorLine === undefined) state.held.push(meaning.bytes);
    else editMonitorLine(state, meaning.bytes);
  }
}

const onTerminal = (text: string): string => text.replaceAll('\n', '\r\n');

function toggleMonitor(state: ConsoleState): void {
  const open = state.monitorLine === undefined;
  state.monitorLine = open ? '' : undefined;
  state.terminal.write(open ? `\r\nRetrovisor monitor: \`help\` lists commands\r\n${MONITOR_PROMPT}` : '\r\n');
}

const BACKSPACE = '\b \b';

function editMonitorLine(state: ConsoleState, bytes: Uint8Array): void {
  for (const key of Buffer.from(bytes).toString('latin1')) {
    const line = state.monitorLine ?? '';
    if (key === '\r' || key === '\n') {
      state.terminal.write('\r\n');
      performMonitorLine(state, line);
      if (state.monitorLine === undefined) return;
      state.monitorLine = '';
      if (state.end === undefined) state.terminal.write(MONITOR_PROMPT);
    } else if (key === '\x7f' || key === '\b') {
      if (line !== '') state.terminal.write(BACKSPACE);
      state.monitorLine = line.slice(0, -1);
    } else if (key >= ' ') {
      state.terminal.write(key);
      state.monitorLine = line + key;
    }
  }
}

function performMonitorLine(state: ConsoleState, line: string): void {
  const { text, then, send } = answerMonitor(state.session, line);
  if (send !== undefined) state.session.send(send);
  if (text !== '') state.terminal.write(onTerminal(`${text}\n`));
  if (then === 'quit') state.end = { status: 0, sentence: 'Ended by the monitor.' };
  if (then === 'stop') state.stopped = true;
  if (then === 'cont') state.stopped = false;
  state.session.setStopped(state.stopped);
}

const nothingMoreCanCome = ({ terminal, options, held }: ConsoleState): boolean =>
  (terminal.ended() || options.line === undefined) && held.length === 0;

/**
 * A guest that idles before a person waits in real time. Before a script its idle time is skipped at once, and when
 * nobody can type any more too, as long as it still prints now and then.
 */
const isPaced = (state: ConsoleState): boolean =>
  state.options.typist.waitingFor() === undefined &&
  (!nothingMoreCanCome(state) || state.session.silence() >= SILENCE_SKIPPED_NS);

/** Let the outside have its turn. */
async function rest(state: ConsoleState, pause: SessionPause): Promise<void> {
  const { terminal, session } = state;
  if (pause.pause !== 'idle') return terminal.wait(0);
  if (pause.untilNs === undefined) {
    if (nothingMoreCanCome(state)) state.end = haltedForGood(state);
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
  const sleeps = session.view.machine.state.vmm.sleep !== undefined;
  const how = sleeps ? 'The guest sleeps (S3)' : 'The guest halted';
  const waiting = options.typist.waitingFor();
  const script = waiting === undefined ? '' : ` The script still waits for ${JSON.stringify(waiting)}.`;
  return { status: GUEST_FAILED, sentence: `${how} and nothing is left that could wake it.${script}` };
}

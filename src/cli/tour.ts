import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { openSession } from '../runs/underway/open-session.ts';
import { NODE } from '../host/node.ts';
import type { Session, SessionEnd, SessionFigures } from '../runs/underway/session.ts';
import { openTerminal, writeOut } from '../host/terminal.ts';
import { runConsole } from './console.ts';
import { answerMonitor, MONITOR_PROMPT } from './monitor.ts';
import { runOptions } from '../options/run-arguments.ts';
import { showEvents } from './tour-events.ts';
import { typist } from '../runs/underway/typist.ts';

const TRACE = 'tour.trace';
/** What our own guest ends with when all it tried worked: isa-debug-exit of 0. */
const GUEST_CONTENT = 1;

/** `retrovisor tour`: our own guest, recorded, shown, replayed in a second process. Resolves to the status. */
export async function tour(): Promise<number> {
  say(`Booting our own guest, recorded into ${TRACE}. Its console:`, '');
  const options = runOptions(['--trace', TRACE, '-smp', '2']);
  const session = openSession(NODE, options, { serial: (_line, bytes) => writeOut(bytes), character: () => undefined });
  const begun = performance.now();
  const end = await watch(session).finally(() => session.close());
  const seconds = (performance.now() - begun) / 1000;
  if (end.status !== GUEST_CONTENT) {
    say('', `The guest ended with status ${end.status}. ${end.sentence ?? ''}`.trim());
    return 1;
  }
  say('', 'Replaying the trace in a second process, every event compared:');
  const status = replayElsewhere();
  if (status !== 0) return status;
  say('');
  const reduced = showEvents(TRACE, say);
  if (reduced !== 0) return reduced;
  say('', ...figureLines(session.figures(), seconds), '', ...NEXT_STEPS);
  if (process.stdin.isTTY === true && process.stdout.isTTY === true) await offerMonitor(session);
  return 0;
}

function say(...lines: readonly string[]): void {
  writeOut(Buffer.from(`${lines.join('\n')}\n`));
}

/** Run to the end with nobody typing. */
async function watch(session: Session): Promise<SessionEnd> {
  const terminal = openTerminal(false);
  try {
    return await runConsole(session, terminal, { monitor: false, line: undefined, scripted: 0, typist: typist([]) });
  } finally {
    terminal.close();
  }
}

function replayElsewhere(): number {
  const bin = fileURLToPath(new URL('../../bin/retrovisor.js', import.meta.url));
  const replayed = spawnSync(process.execPath, [bin, 'replay', TRACE], { stdio: 'inherit' });
  return replayed.status ?? 1;
}

function figureLines({ ticks, events, exits, virtualNs }: SessionFigures, seconds: number): string[] {
  const { size } = statSync(TRACE);
  return [
    `${ticks} instructions in ${(virtualNs / 1e6).toFixed(1)} ms of virtual time, ${exits} VM exits, ${events} events;`,
    `shown, recorded and compiled in ${seconds.toFixed(2)} s. For speed on a real kernel: npx tsx bench/boot.ts`,
    `${TRACE}: ${size} bytes, ${(size / events).toFixed(1)} per event.`,
  ];
}

const NEXT_STEPS = [
  'Next:',
  `  npx retrovisor stat ${TRACE}                    VM exits by reason`,
  `  npx retrovisor events ${TRACE} --limit 20       the run, event by event`,
  '  docs/streams.md                              the same events, states and causes in a program of yours',
  "  npm run guests                               fetch Debian's kernel, busybox and SeaBIOS, then:",
  '  npx retrovisor run -kernel .guests/vmlinuz -initrd .guests/initramfs.gz -append "console=ttyS0" -m 256',
];

/** Questions to the machine as the guest left it. */
async function offerMonitor(session: Session): Promise<void> {
  say('', 'The machine still stands as the guest left it: `info registers -a`, `info lapic`, `help`; `quit` ends.');
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: MONITOR_PROMPT });
  lines.prompt();
  for await (const line of lines) {
    const { text, then } = answerMonitor(session, line);
    if (text !== '') say(text);
    if (then === 'quit') break;
    if (then === 'cont') say('The guest has ended: it cannot go on.');
    lines.prompt();
  }
  lines.close();
}

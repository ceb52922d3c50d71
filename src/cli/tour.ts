import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSession } from '../runs/underway/open-session.ts';
import { NODE } from '../host/node.ts';
import { OWN_DISK_PATH } from '../runs/machine/images.ts';
import type { Session, SessionEnd, SessionFigures } from '../runs/underway/session.ts';
import { printText } from '../host/output.ts';
import { openTerminal } from '../host/terminal.ts';
import { runConsole } from './console.ts';
import { runOptions } from '../options/run-arguments.ts';
import { printPackets } from './packets-command.ts';
import { showEvents } from './tour-events.ts';
import { typist } from '../runs/underway/typist.ts';

const TRACE = 'tour.trace';
/** The tour is the same run whenever it is taken. */
const WALL_CLOCK = '1700000000';
const MOST_PACKETS = 10;
/** A terminal nobody has widened, and where our guest's lines say what they found. */
const WIDTH = 80;
const TEXT_COLUMN = 30;

/** `retrovisor tour`: our own guest, recorded, shown, replayed in a second process. Resolves to the status. */
export async function tour(): Promise<number> {
  say(`Booting our own guest, recorded into ${TRACE}. Its console:`, '');
  const drive = `file=${OWN_DISK_PATH},format=raw,if=virtio`;
  const options = runOptions(['--trace', TRACE, '-smp', '2', '-drive', drive, '--wall-clock', WALL_CLOCK]);
  const shown = folded(WIDTH, (line) => say(line));
  const session = openSession(NODE, options, { serial: (_line, bytes) => shown(bytes), character: () => undefined });
  const begun = performance.now();
  const end = await watch(session).finally(() => session.close());
  const seconds = (performance.now() - begun) / 1000;
  if (end.status !== 0) {
    say('', `The guest ended with status ${end.status}. ${end.sentence ?? ''}`.trim());
    return 1;
  }
  say('', 'Replaying the trace in a second process, every event compared:');
  const status = replayElsewhere();
  if (status !== 0) return status;
  say('');
  const reduced = showEvents(TRACE, say);
  if (reduced !== 0) return reduced;
  say('', 'What went over the wire of its network card:');
  const wired = await printPackets(
    TRACE,
    { limit: MOST_PACKETS, width: WIDTH },
    { print: say, flush: () => undefined },
  );
  if (wired !== 0) return wired;
  say('', ...figureLines(session.figures(), seconds), '', ...NEXT_STEPS);
  return 0;
}

function say(...lines: readonly string[]): void {
  printText(`${lines.join('\n')}\n`);
}

/** Bytes as lines of at most so many columns: longer ones go on below, at words, where their text began. */
function folded(width: number, print: (line: string) => void): (bytes: Uint8Array) => void {
  let line = '';
  return (bytes) => {
    const lines = (line + Buffer.from(bytes).toString('latin1')).replaceAll('\r', '').split('\n');
    line = lines.pop() as string;
    for (const whole of lines) {
      let left = whole;
      for (let at: number; left.length > width && (at = left.lastIndexOf(' ', width)) > TEXT_COLUMN; ) {
        print(left.slice(0, at));
        left = `${' '.repeat(TEXT_COLUMN)}${left.slice(at + 1)}`;
      }
      print(left);
    }
  };
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
    `shown, recorded and compiled in ${seconds.toFixed(2)} s.`,
    `${TRACE}: ${size} bytes, ${(size / events).toFixed(1)} per event.`,
  ];
}

const NEXT_STEPS = [
  'The digest above is of the whole run, and the same each time. Next:',
  `  npx retrovisor debug ${TRACE}               stand in it: \`help\`, \`at 50%\``,
  `  npx retrovisor stat ${TRACE}                VM exits by reason`,
  `  npx retrovisor disk ${TRACE} history 128    who wrote that sector`,
  `  npx retrovisor packets ${TRACE} --why 0     a packet, and what led to it`,
  `  npx retrovisor events ${TRACE} --limit 20   the run, event by event`,
  "  npm run guests                             Debian's kernel and busybox, then:",
  '  npx retrovisor run -kernel .guests/vmlinuz -initrd .guests/initramfs.gz \\',
  '    -append console=ttyS0 -m 256             Linux; Ctrl-A x ends it',
  '  docs/guide.md                              all of it, in order',
];

import { onOneLine } from '../base/printable.ts';
import { complain, consoleShown } from '../host/output.ts';
import { ConsoleLines, type ConsoleLine } from '../replay/export/console-lines.ts';
import { pieceOf } from '../replay/export/console-text.ts';
import { eventClock, secondsText } from '../replay/export/report.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { openToLook, type Print, readThrough } from './trace-commands.ts';

/** What `retrovisor console` shows, and how. */
export interface ConsoleCommandOptions {
  /** `serial0`, or a device with a `chardev`; absent: the first that printed. */
  readonly device?: string;
  /** What stands before each line. */
  readonly before?: 'ticks' | 'times';
  /** The guest's bytes as they are. */
  readonly raw: boolean;
}

/** Status when a device that was asked for printed nothing. */
const NOTHING = 1;

/** `retrovisor console`: what the guest printed, from the events alone. Returns the status. */
export function printConsole(path: string, options: ConsoleCommandOptions, print: Print): number {
  const { before, raw } = options;
  const trace = openToLook(path);
  const clock = eventClock(readDescription(trace.header.machine, path));
  const lines = new ConsoleLines((line) => print(lineText(line, before)));
  const bytes = consoleShown(true);
  const others = new Set<string>();
  let isPrinted = false;
  let { device } = options;
  const status = readThrough(trace, (stamped) => {
    const ns = clock.ns(stamped);
    const piece = pieceOf(stamped);
    if (piece === undefined) return true;
    device ??= piece.device;
    if (piece.device !== device) others.add(piece.device);
    else {
      isPrinted = true;
      if (raw) bytes.take(piece.bytes);
      else lines.add(piece.bytes, { tick: stamped.tick, ns });
    }
    return true;
  });
  lines.end();
  const named = [...others].map(onOneLine).join(', ');
  if (options.device === undefined && others.size > 0) {
    complain(`printed on ${named}, too: --device NAME`);
  } else if (!isPrinted) {
    const where = options.device === undefined ? '' : ` on ${onOneLine(options.device)}`;
    complain(`Nothing was printed${where}${named === '' ? '.' : `: there is ${named}.`}`);
  }
  return !isPrinted && options.device !== undefined ? NOTHING : status;
}

function lineText({ text, tick, ns }: ConsoleLine, before: ConsoleCommandOptions['before']): string {
  if (before === 'ticks') return `${String(tick).padStart(10)}  ${text}`;
  return before === 'times' ? `[${secondsText(ns)}] ${text}` : text;
}

import { onOneLine } from '../base/printable.ts';
import type { Ns } from '../base/units.ts';
import type { Stamped } from '../events/stamped.ts';
import { UsageProblem } from '../options/usage.ts';
import { complain, consoleShown } from '../host/output.ts';
import { ConsoleLines, type ConsoleLine } from '../replay/export/console-lines.ts';
import { pieceOf } from '../replay/export/console-text.ts';
import { secondsText } from '../replay/export/report.ts';
import { machinesIn, readTogether, WhoseLines } from './machines-in.ts';
import type { Print } from './trace-commands.ts';

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

/** `retrovisor console`: what the guest, or each of several, printed, from the events alone. Returns the status. */
export function printConsole(path: string, options: ConsoleCommandOptions, print: Print): number {
  const machines = machinesIn(path);
  if (options.raw && machines.length > 1) {
    throw new UsageProblem(`--raw shows one machine's: ${machines[0]!.path}, or another by its name.`);
  }
  const whose = new WhoseLines(machines);
  const printed = machines.map((_machine, at) => new Printed(options, (line) => print(whose.line(at, line))));
  const status = readTogether(machines, ({ machine, stamped, ns }) => {
    printed[machine]!.next(stamped, ns);
    return true;
  });
  let isMissing = false;
  for (const [at, { name }] of machines.entries()) isMissing = printed[at]!.end(name) || isMissing;
  return isMissing ? NOTHING : status;
}

/** What one machine printed. */
class Printed {
  private readonly options: ConsoleCommandOptions;
  private readonly lines: ConsoleLines;
  private readonly bytes = consoleShown(true);
  private readonly others = new Set<string>();
  private device: string | undefined;
  private isPrinted = false;

  constructor(options: ConsoleCommandOptions, print: Print) {
    this.options = options;
    this.device = options.device;
    this.lines = new ConsoleLines((line) => print(lineText(line, options.before)));
  }

  next(stamped: Stamped, ns: Ns): void {
    const piece = pieceOf(stamped);
    if (piece === undefined) return;
    this.device ??= piece.device;
    if (piece.device !== this.device) {
      this.others.add(piece.device);
      return;
    }
    this.isPrinted = true;
    if (this.options.raw) this.bytes.take(piece.bytes);
    else this.lines.add(piece.bytes, { tick: stamped.tick, ns });
  }

  /** Say what else there is to say. Whether the device that was asked for printed nothing. */
  end(name: string | undefined): boolean {
    const { device } = this.options;
    const who = name === undefined ? '' : `${onOneLine(name)}: `;
    this.lines.end();
    const named = [...this.others].map(onOneLine).join(', ');
    if (device === undefined && this.others.size > 0) complain(`${who}printed on ${named}, too: --device NAME`);
    else if (!this.isPrinted) {
      const where = device === undefined ? '' : ` on ${onOneLine(device)}`;
      complain(`${who}Nothing was printed${where}${named === '' ? '.' : `: there is ${named}.`}`);
    }
    return !this.isPrinted && device !== undefined;
  }
}

function lineText({ text, tick, ns }: ConsoleLine, before: ConsoleCommandOptions['before']): string {
  if (before === 'ticks') return `${String(tick).padStart(10)}  ${text}`;
  return before === 'times' ? `[${secondsText(ns)}] ${text}` : text;
}

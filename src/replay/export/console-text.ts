import { partitionPoint } from '../../base/partition.ts';
import { latin1 } from '../../base/bytes.ts';
import type { Seq, Tick } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';

/** Longest line that is looked at as one: what a guest prints without an end of line is cut. */
export const LONGEST_LINE = 4096;

/** Kinds of events by which a guest prints. */
export const PRINTING: ReadonlySet<string> = new Set(['sim:serial_sent', 'sim:chardev_sent']);

/** Bytes a guest sent at once, and to which console: `serial0`, or the name of a device with a `chardev`. */
export interface PrintedPiece {
  readonly device: string;
  readonly bytes: Uint8Array;
}

/** What an event printed; undefined: nothing. */
export function pieceOf({ event }: Stamped): PrintedPiece | undefined {
  if (event.kind === 'sim:serial_sent') return { device: `serial${event.line}`, bytes: Uint8Array.of(event.byte) };
  return event.kind === 'sim:chardev_sent' ? { device: event.dev, bytes: event.bytes } : undefined;
}

/** All a guest printed on one console, a character a byte, and by which events. */
export class ConsoleText {
  private readonly pieces: string[] = [];
  /** Of each event: its number and tick, and how many bytes had been printed before it. */
  private readonly seqs: Seq[] = [];
  private readonly ticks: Tick[] = [];
  private readonly starts: number[] = [];
  private length = 0;
  private joined: string | undefined;

  add({ seq, tick }: Stamped, bytes: Uint8Array): void {
    this.seqs.push(seq);
    this.ticks.push(tick);
    this.starts.push(this.length);
    this.pieces.push(latin1(bytes));
    this.length += bytes.length;
    this.joined = undefined;
  }

  get text(): string {
    this.joined ??= this.pieces.join('');
    return this.joined;
  }

  /** All that was printed before an event. */
  before(seq: Seq): string {
    return this.text.slice(0, this.starts[partitionPoint(this.seqs.length, (at) => this.seqs[at]! < seq)]);
  }

  /** The event that printed a byte. */
  printedBy(at: number): { readonly seq: Seq; readonly tick: Tick } {
    const next = partitionPoint(this.starts.length, (next) => this.starts[next]! <= at);
    return { seq: this.seqs[next - 1]!, tick: this.ticks[next - 1]! };
  }
}

/** What a run printed on the console that printed first. To be told every event of `PRINTING`, in order. */
export class FirstConsole {
  private readonly text = new ConsoleText();
  private device: string | undefined;

  next(stamped: Stamped): void {
    const piece = pieceOf(stamped);
    if (piece === undefined) return;
    this.device ??= piece.device;
    if (piece.device === this.device) this.text.add(stamped, piece.bytes);
  }

  /** All that was printed there before an event, a character a byte. */
  before(seq: Seq): string {
    return this.text.before(seq);
  }
}

/** Events looked at between two looks at whether somebody wants to stop. */
const PIECE = 1 << 10;

/** What a run printed, by console. */
export function* consolesOf(events: readonly Stamped[]): Work<ReadonlyMap<string, ConsoleText>> {
  const consoles = new Map<string, ConsoleText>();
  for (let at = 0; at < events.length; at += 1) {
    if (at % PIECE === 0) yield at / events.length;
    const stamped = events[at] as Stamped;
    const piece = pieceOf(stamped);
    if (piece === undefined) continue;
    let console = consoles.get(piece.device);
    if (console === undefined) {
      console = new ConsoleText();
      consoles.set(piece.device, console);
    }
    console.add(stamped, piece.bytes);
  }
  return consoles;
}

/** What several guests print, on one terminal: each line with the name of who said it. */
import { labelsOf } from '../base/labels.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Bytes of a line that are held back at most. */
const LONGEST_HELD = 4096;

/** What a machine has begun to print. */
interface Held {
  bytes: number[];
  /** It was there already when somebody looked. */
  isOld: boolean;
}

/** Puts the names before the lines. A line is shown once it is whole, or has been waited for. */
export class Prefixed {
  private readonly write: (bytes: Uint8Array) => void;
  private readonly prefixes: ReadonlyMap<string, Uint8Array>;
  private readonly held: ReadonlyMap<string, Held>;
  /** Whose line is on the screen, and not whole. */
  private open: string | undefined;

  constructor(names: readonly string[], write: (bytes: Uint8Array) => void) {
    this.write = write;
    this.prefixes = new Map(labelsOf(names).map((label, at) => [names[at]!, Buffer.from(label)]));
    this.held = new Map(names.map((name) => [name, { bytes: [], isOld: false }]));
  }

  print(name: string, bytes: Uint8Array): void {
    const held = this.held.get(name);
    if (held === undefined) return;
    const out: number[] = [];
    for (const byte of bytes) {
      if (this.open === name) {
        out.push(byte);
        if (byte === NEWLINE) this.open = undefined;
        continue;
      }
      // A carriage return at the beginning of a line says nothing of whose it is.
      if (byte === RETURN && held.bytes.length === 0) continue;
      held.bytes.push(byte);
      if (byte === NEWLINE || held.bytes.length >= LONGEST_HELD) out.push(...this.shown(name, held));
    }
    if (out.length > 0) this.write(Uint8Array.from(out));
  }

  /** Show what has been waited for since the last time this was asked for: a prompt, perhaps. */
  showOld(): void {
    for (const [name, held] of this.held) {
      if (held.isOld && held.bytes.length > 0) this.write(Uint8Array.from(this.shown(name, held)));
      held.isOld = held.bytes.length > 0;
    }
  }

  /** Show all there is, and let what follows begin a line. */
  endLine(): void {
    for (const [name, held] of this.held)
      if (held.bytes.length > 0) this.write(Uint8Array.from(this.shown(name, held)));
    if (this.open !== undefined) this.write(Uint8Array.of(RETURN, NEWLINE));
    this.open = undefined;
  }

  /** What is held, in a line of its own. */
  private shown(name: string, held: Held): readonly number[] {
    const before = this.open === undefined ? [] : [RETURN, NEWLINE];
    const { bytes } = held;
    held.bytes = [];
    held.isOld = false;
    this.open = bytes.at(-1) === NEWLINE ? undefined : name;
    return [...before, ...(this.prefixes.get(name) ?? []), ...bytes];
  }
}

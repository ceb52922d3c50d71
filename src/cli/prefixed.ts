/** What several guests print, on one terminal: each line with the name of who said it. */
import { labelsOf } from '../base/labels.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Puts the names before the lines. Of a line that is not whole nobody else's is the rest. */
export class Prefixed {
  private readonly write: (bytes: Uint8Array) => void;
  private readonly prefixes: ReadonlyMap<string, Uint8Array>;
  /** Whose line is being printed, and has something in it. */
  private open: string | undefined;

  constructor(names: readonly string[], write: (bytes: Uint8Array) => void) {
    this.write = write;
    this.prefixes = new Map(labelsOf(names).map((label, at) => [names[at]!, Buffer.from(label)]));
  }

  print(name: string, bytes: Uint8Array): void {
    const out: number[] = [];
    for (const byte of bytes) {
      if (this.open !== name) {
        // A carriage return at the beginning of a line says nothing of whose it is.
        if (byte === RETURN && this.open === undefined) continue;
        if (this.open !== undefined) out.push(RETURN, NEWLINE);
        out.push(...(this.prefixes.get(name) ?? []));
        this.open = name;
      }
      out.push(byte);
      if (byte === NEWLINE) this.open = undefined;
    }
    if (out.length > 0) this.write(Uint8Array.from(out));
  }

  /** Let what follows begin a line. */
  endLine(): void {
    if (this.open !== undefined) this.write(Uint8Array.of(RETURN, NEWLINE));
    this.open = undefined;
  }
}

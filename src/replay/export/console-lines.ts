import type { Ns, Tick } from '../../base/units.ts';
import { printable } from '../../base/printable.ts';
import { LONGEST_LINE } from './console-text.ts';

/** A line of a console, and when its first byte was sent. */
export interface ConsoleLine {
  /** As it may be printed. */
  readonly text: string;
  readonly tick: Tick;
  readonly ns: Ns;
}

const NEWLINE = 10;
const decoder = new TextDecoder();

/** Joins what a guest sends, byte by byte, to lines: UTF-8, and what a terminal would obey written out. */
export class ConsoleLines {
  private held: number[] = [];
  private begun: { readonly tick: Tick; readonly ns: Ns } = { tick: 0, ns: 0 };
  private readonly told: (line: ConsoleLine) => void;

  constructor(told: (line: ConsoleLine) => void) {
    this.told = told;
  }

  add(bytes: Uint8Array, when: { readonly tick: Tick; readonly ns: Ns }): void {
    for (const byte of bytes) {
      if (this.held.length === 0) this.begun = when;
      if (byte !== NEWLINE) this.held.push(byte);
      if (byte === NEWLINE || this.held.length >= LONGEST_LINE) this.tell();
    }
  }

  /** The guest prints no more: what it began is a line, too. */
  end(): void {
    if (this.held.length > 0) this.tell();
  }

  private tell(): void {
    const text = decoder.decode(Uint8Array.from(this.held)).replace(/\r+$/, '');
    this.held = [];
    this.told({ text: printable(text), ...this.begun });
  }
}

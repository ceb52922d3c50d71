/**
 * What a terminal takes for more than a character to show: controls but the line feed and the tab, marks that turn or
 * end a line, the invisible, and halves of characters.
 */
const COMMANDS = new RegExp(
  [
    String.raw`[\0-\x08\x0b-\x1f\x7f-\x9f]`,
    String.raw`[\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]`,
    String.raw`\p{Surrogate}`,
  ].join('|'),
  'gu',
);

/** What most texts are. */
const PLAIN = /^[\n\t -~]*$/;

const BREAKS = /[\n\t]/g;

/**
 * A text of somebody else's, which a terminal shows as it is and does not obey: its commands as `\x1b` and, beyond
 * ASCII, as `\u202e`, so that JSON remains the JSON it was.
 */
export const printable = (text: string): string => (PLAIN.test(text) ? text : text.replace(COMMANDS, escaped));

/** The same for what is a part of one line. */
export const onOneLine = (text: string): string => printable(text).replace(BREAKS, escaped);

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  const codes = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return codes.map((code) => (code < 0x7f ? `\\x${digits(code, 2)}` : `\\u${digits(code, 4)}`)).join('');
}

const digits = (code: number, length: number): string => code.toString(16).padStart(length, '0');

/**
 * Bytes a guest prints, as text that is printable: the carriage return of a line's end is left out. Bytes come as they
 * may; what is not complete yet is held back until it is.
 */
export class PrintableConsole {
  private readonly decoder = new TextDecoder();
  private held = '';

  /** What can be shown of these bytes and those held back. */
  take(bytes: Uint8Array): string {
    return this.shown(this.decoder.decode(bytes, { stream: true }));
  }

  /** What was held back: nothing follows it. */
  end(): string {
    const rest = this.shown(this.decoder.decode()) + printable(this.held);
    this.held = '';
    return rest;
  }

  private shown(more: string): string {
    const text = this.held + more;
    const whole = /\r*$/.exec(text)?.index ?? text.length;
    this.held = text.slice(whole);
    return printable(text.slice(0, whole).replace(/\r+\n/g, '\n'));
  }
}

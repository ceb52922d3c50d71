import { PrintableConsole, printable } from '../base/printable.ts';
import { writeOut } from './terminal.ts';

/**
 * Where text leaves for a terminal. Whatever it quotes (a path, a name, a guest's bytes) was made printable here: no
 * text goes any other way but a guest's own live console.
 */

/** Text of ours to standard output. */
export const printText = (text: string): void => writeOut(Buffer.from(printable(text)));

/** Help, of which nobody waits for the end. */
export const printHelp = (text: string): void => void process.stdout.write(printable(text));

/**
 * A sentence to standard error, behind the program's name. What stands on further lines is set in: none of them can
 * pass for a sentence of the program's own. A terminal that takes keys as they come needs both ends.
 */
export const complain = (sentence: string, lineEnd: '\n' | '\r\n' = '\n'): void =>
  void process.stderr.write(`retrovisor: ${printable(sentence).replace(/\n(?! {2})/g, '\n  ')}${lineEnd}`);

/** Where a console that was recorded is shown. */
export interface ConsoleShown {
  take(bytes: Uint8Array): void;
  end(): void;
}

/** A recorded console on standard output: printable, or raw for those who want it. */
export function consoleShown(isRaw: boolean): ConsoleShown {
  if (isRaw) return { take: writeOut, end: () => undefined };
  const text = new PrintableConsole();
  return { take: (bytes) => printText(text.take(bytes)), end: () => printText(text.end()) };
}

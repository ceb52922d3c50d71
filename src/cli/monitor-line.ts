import { PassThrough, Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import type { Terminal } from '../host/terminal.ts';
import { MONITOR_NAMES, MONITOR_PROMPT } from './monitor.ts';

/** The monitor's line as one edits it: by Node's readline, as at any prompt, with what was typed before. */
export interface MonitorLine {
  prompt(): void;
  press(bytes: Uint8Array): void;
  close(): void;
}

const CTRL_D = 0x04;

/** Edit lines on a terminal that is shared with the guest: keys come by `press`, and `end` hears of Ctrl-D. */
export function openMonitorLine(
  terminal: Pick<Terminal, 'write'>,
  on: { line(text: string): void; end(): void },
): MonitorLine {
  const keys = new PassThrough();
  const screen = Object.assign(
    new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        terminal.write(chunk);
        done();
      },
    }),
    { columns: process.stdout.columns ?? 80 },
  );
  const lines = createInterface({
    input: keys,
    output: screen,
    terminal: true,
    prompt: MONITOR_PROMPT,
    historySize: 1000,
    completer: (typed: string) => [MONITOR_NAMES.filter((name) => name.startsWith(typed)), typed],
  });
  lines.on('line', on.line);
  // Ctrl-C gives up a line, Ctrl-D leaves; the process is nobody's to suspend while its terminal is raw.
  lines.on('SIGINT', () => {
    terminal.write('^C\r\n');
    lines.write(null, { ctrl: true, name: 'e' });
    lines.write(null, { ctrl: true, name: 'u' });
    lines.prompt();
  });
  lines.on('SIGTSTP', () => undefined);
  return {
    prompt: () => lines.prompt(),
    press(bytes) {
      // readline would take it for the end of all input.
      if (lines.line === '' && bytes.length === 1 && bytes[0] === CTRL_D) on.end();
      // Not by a write, which would be read some time later.
      else keys.emit('data', Buffer.from(bytes));
    },
    close: () => lines.close(),
  };
}

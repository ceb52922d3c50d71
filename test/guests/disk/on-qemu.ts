import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const PATIENCE_MS = 60_000;
const LOOK_MS = 50;

/** What QEMU's monitor answers once its guest has printed a line. `serial`: the file that line goes to. */
export async function askedOfQemu(
  options: readonly string[],
  serial: string,
  lines: readonly string[],
): Promise<readonly string[]> {
  const machine = ['-M', 'pc,accel=tcg', '-nodefaults', '-display', 'none', '-serial', `file:${serial}`];
  const qemu = spawn('qemu-system-x86_64', [...machine, '-qmp', 'stdio', ...options]);
  let said = '';
  qemu.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
  try {
    await until(() => readFileSync(serial, 'latin1').endsWith('\n'));
    const send = (command: object): void => void qemu.stdin.write(`${JSON.stringify(command)}\n`);
    send({ execute: 'qmp_capabilities' });
    for (const [id, line] of lines.entries()) {
      send({ execute: 'human-monitor-command', arguments: { 'command-line': line }, id });
    }
    const answers = (): { readonly id?: number; readonly return?: string }[] =>
      said
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    await until(() => answers().some(({ id }) => id === lines.length - 1));
    return lines.map((_, at) => answers().find(({ id }) => id === at)?.return ?? '');
  } finally {
    qemu.kill();
  }
}

/** What is waited for, or asked. */
export type Turn = { readonly event: string } | { readonly line: string } | { readonly printed: string };

interface Said {
  readonly id?: number;
  readonly return?: string;
  readonly event?: string;
}

/** QEMU's monitor is asked in turns, once what comes before has happened. `printed`: a line has gone to that file. */
export async function conversation(
  options: readonly string[],
  turns: readonly Turn[],
): Promise<{ readonly answers: readonly string[]; readonly printed: string }> {
  const qemu = spawn('qemu-system-x86_64', [...options, '-qmp', 'stdio']);
  let said = '';
  qemu.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const all = (): Said[] =>
    said
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Said);
  const answers: string[] = [];
  let printed = '';
  try {
    qemu.stdin.write(`${JSON.stringify({ execute: 'qmp_capabilities' })}\n`);
    for (const [id, turn] of turns.entries()) {
      if ('event' in turn) await until(() => all().some(({ event }) => event === turn.event));
      else if ('printed' in turn) {
        await until(() => (printed = readFileSync(turn.printed, 'latin1')).endsWith('\n'));
      } else {
        const asked = { execute: 'human-monitor-command', arguments: { 'command-line': turn.line }, id };
        qemu.stdin.write(`${JSON.stringify(asked)}\n`);
        await until(() => all().some((each) => each.id === id));
        answers.push(all().find((each) => each.id === id)?.return ?? '');
      }
    }
    return { answers, printed };
  } finally {
    qemu.kill();
  }
}

async function until(isSo: () => boolean): Promise<void> {
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
    try {
      if (isSo()) return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    await setTimeout(LOOK_MS);
  }
  throw new Error('QEMU does not come to it.');
}

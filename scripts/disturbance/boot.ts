import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type Draw, drawn, gdbSession, IDLE_KEYS, linesOf } from './plan.ts';

/** What a boot had to bear. */
export interface Disturbances {
  keys: number;
  /** Times the monitor was opened to stop the run and let it go on. */
  pauses: number;
  /** Times a gdb came and left, as the run itself tells. */
  gdbs: number;
  /** Times a gdb let the guest run and took it back. */
  interrupts: number;
}

/** A boot that is under way. */
export interface DisturbedBoot {
  readonly done: Disturbances;
  /** Process status, and all the terminal showed. */
  readonly ended: Promise<{ readonly status: number | null; readonly shown: string }>;
}

const PROMPT = '/ # ';
/** A guest that was typed at badly is asked to power off again. */
const ASK_AGAIN_MS = 30_000;
const LONGEST_MS = 15 * 60_000;

/** Run `retrovisor` on a pseudo terminal, and disturb it until it ends. */
export function bootDisturbed(command: readonly string[], seed: string, scratch: string): DisturbedBoot {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const child = spawn('script', ['-qec', quoted, '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const room = new Room(child);
  const done: Disturbances = { keys: 0, pauses: 0, gdbs: 0, interrupts: 0 };
  room.heard = () => {
    done.gdbs = room.shown.split('gdb has left.').length - 1;
    done.pauses = room.shown.split('Retrovisor monitor:').length - 1;
  };
  const ended = Promise.all([
    room.ended,
    typeAndPause(room, seed, done),
    comeAndGo(room, seed, `${scratch}/${seed.replaceAll(/\W+/g, '-')}.gdb`, done),
  ]).then(([status]) => ({ status, shown: room.shown }));
  return { done, ended };
}

/** The terminal a boot is shown on, until it has ended. */
class Room {
  shown = '';
  hasEnded = false;
  /** Called when something was shown. */
  heard = (): void => undefined;
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(child: ChildProcess) {
    this.child = child;
    const hear = (bytes: unknown): void => {
      this.shown += String(bytes);
      this.heard();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.stdin?.on('error', () => undefined);
    const limit = setTimeout(() => child.kill('SIGTERM'), LONGEST_MS);
    this.ended = new Promise((resolve) => {
      child.on('close', (status) => {
        clearTimeout(limit);
        this.hasEnded = true;
        resolve(status);
      });
    });
  }

  type(keys: string): void {
    if (!this.hasEnded) this.child.stdin?.write(keys);
  }

  /** Resolves early when the boot ends. */
  async wait(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await Promise.race([over, this.ended]);
    clearTimeout(timer);
  }
}

/** One pair of hands: keys, and the monitor's `stop` and `cont` between two of them. */
async function typeAndPause(room: Room, seed: string, done: Disturbances): Promise<void> {
  const draw = drawn(seed, 'hands');
  while (!room.hasEnded && !room.shown.includes(PROMPT)) {
    await room.wait(draw.milliseconds(50, 2500));
    if (draw.happens(0.4)) await pause(room, draw);
    else await press(room, draw, done, draw.pick(IDLE_KEYS));
  }
  for (const line of linesOf(draw)) {
    for (const key of `${line}\r`) {
      if (room.hasEnded) return;
      await press(room, draw, done, key);
      if (draw.happens(0.02)) await pause(room, draw);
    }
    await room.wait(draw.milliseconds(20, 4000));
  }
  while (!room.hasEnded) {
    await room.wait(ASK_AGAIN_MS);
    for (const key of '\rpoweroff -f\r') await press(room, draw, done, key);
  }
}

async function press(room: Room, draw: Draw, done: Disturbances, key: string): Promise<void> {
  room.type(key);
  done.keys += 1;
  await room.wait(draw.milliseconds(1, 80));
}

/** By the monitor, as a person would: Ctrl-A c, `stop`, and the same back. */
async function pause(room: Room, draw: Draw): Promise<void> {
  room.type('\x01cstop\r');
  await room.wait(draw.milliseconds(5, 1200));
  room.type('cont\r\x01c');
}

/** A gdb that comes, does something and leaves, again and again. */
async function comeAndGo(room: Room, seed: string, script: string, done: Disturbances): Promise<void> {
  const draw = drawn(seed, 'gdb');
  const port = await portOf(room);
  while (!room.hasEnded) {
    await room.wait(draw.milliseconds(300, 9000));
    if (room.hasEnded) return;
    const commands = gdbSession(draw);
    const before = ['set pagination off', 'set confirm off', 'set remotetimeout 60', `target remote 127.0.0.1:${port}`];
    writeFileSync(script, [...before, ...commands, 'detach', ''].join('\n'));
    await visit(script, draw, done);
  }
}

async function portOf(room: Room): Promise<string> {
  for (;;) {
    const found = /target remote 127\.0\.0\.1:(\d+)/.exec(room.shown)?.[1];
    if (found !== undefined || room.hasEnded) return found ?? '0';
    await room.wait(50);
  }
}

/** One gdb, from its coming to its leaving: Ctrl-C a while after it has let the guest run. */
function visit(script: string, draw: Draw, done: Disturbances): Promise<void> {
  const gdb = spawn('gdb', ['-nx', '-batch', '-x', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  let out = '';
  let running = 0;
  gdb.stdout.on('data', (bytes) => {
    out += String(bytes);
    const asked = out.split('go\n').length - 1;
    for (; running < asked; running += 1) {
      done.interrupts += 1;
      setTimeout(() => gdb.kill('SIGINT'), draw.milliseconds(20, 2500));
    }
  });
  const patience = setTimeout(() => gdb.kill('SIGTERM'), 120_000);
  return new Promise((resolve) => {
    gdb.on('error', () => resolve());
    gdb.on('close', () => {
      clearTimeout(patience);
      resolve();
    });
  });
}

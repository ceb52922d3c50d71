/**
 * Records what the libslirp of QEMU 7.2 answers to frames, for replay.test.ts. In a network of its own, so that it
 * reaches nobody: `unshare -rn sh -c 'ip link set lo up && npx tsx test/oracle/slirp/record.ts'`.
 */
import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { FILES } from './files.ts';
import type { Question } from './question.ts';
import { QUESTIONS } from './questions.ts';
import { type Scene, type Step, writeScenes } from './transcript.ts';

const OURS = 21_101;
const THEIRS = 21_102;
/** Milliseconds: until QEMU listens, and in which what comes at once has come. */
const START = 400;
const MOMENT = 15;

const folder = mkdtempSync(join(tmpdir(), 'tftp-'));

function writeFiles(): void {
  for (const [name, bytes] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}

const wire = (side: string, port: number): string => `${side}.type=inet,${side}.host=127.0.0.1,${side}.port=${port}`;

function qemu({ options }: Question): string[] {
  const said = options.map(([name, value]) => `,${name}=${name === 'tftp' ? folder : value}`).join('');
  const dgram = `dgram,id=d,${wire('local', THEIRS)},${wire('remote', OURS)}`;
  const ports = ['hubport,id=a,hubid=0,netdev=u', 'hubport,id=b,hubid=0,netdev=d'];
  const netdevs = [`user,id=u${said}`, dgram, ...ports].flatMap((netdev) => ['-netdev', netdev]);
  return ['-M', 'none', '-nodefaults', '-display', 'none', '-monitor', 'none', '-serial', 'none', ...netdevs];
}

async function asked(socket: Socket, question: Question): Promise<Step[]> {
  let answers: Uint8Array[] = [];
  socket.on('message', (bytes) => answers.push(Uint8Array.from(bytes)));
  const steps: Step[] = [];
  for (const { note, frame, wait = 0 } of question.asked) {
    answers = [];
    socket.send(frame, THEIRS, '127.0.0.1');
    await setTimeout(Math.max(MOMENT, wait));
    steps.push({ note, frame, wait, answers });
  }
  return steps;
}

/** Undefined: QEMU did not live to the end. */
async function recorded(question: Question): Promise<Scene | undefined> {
  const socket = createSocket('udp4');
  socket.bind(OURS, '127.0.0.1');
  await once(socket, 'listening');
  const process = spawn('qemu-system-x86_64', qemu(question), { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(process, 'exit');
  await setTimeout(START);
  const steps = await asked(socket, question);
  const isAlive = process.exitCode === null && process.signalCode === null;
  if (!isAlive) console.log(`${question.name}: QEMU ended by itself, which is left out`);
  process.kill();
  await ended;
  socket.close();
  return isAlive ? { name: question.name, options: question.options, steps } : undefined;
}

writeFiles();
const [only = ''] = globalThis.process.argv.slice(2);
const scenes: Scene[] = [];
for (const question of QUESTIONS.filter(({ name }) => name.includes(only))) {
  const scene = await recorded(question);
  if (scene !== undefined) scenes.push(scene);
}
writeScenes(scenes);
rmSync(folder, { recursive: true });
for (const { name, steps } of scenes) {
  const answers = steps.reduce((sum, step) => sum + step.answers.length, 0);
  console.log(`${name}: ${steps.length} frames, ${answers} answers`);
}

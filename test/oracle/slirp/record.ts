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
import { networkOf } from '../../../src/net/user/network.ts';
import { ipv4Text } from '../../../src/packets/addresses.ts';
import { parseEthernet } from '../../../src/packets/ethernet.ts';
import { setupOf } from '../../net/wire.ts';
import { FILES } from './files.ts';
import { arp } from './frames.ts';
import type { Question } from './question.ts';
import { QUESTIONS } from './questions.ts';
import { type Scene, type Step, writeScenes } from './transcript.ts';

const OURS = 21_101;
const THEIRS = 21_102;
/** Milliseconds: until QEMU listens at the latest, and in which what comes at once has come. */
const START = 3000;
const MOMENT = 60;

/** Who asks only to hear that what was asked before is done: it has no address, so that nobody keeps it. */
const BELL = 0x0200_0000_0001;

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

const isForBell = (bytes: Uint8Array): boolean => parseEthernet(bytes)?.destination === BELL;

/** Send to QEMU and collect what it sends. */
class Line {
  readonly #socket: Socket;
  readonly #bell: Uint8Array | undefined;
  #answers: Uint8Array[] = [];

  constructor(socket: Socket, bell: Uint8Array | undefined) {
    this.#socket = socket;
    this.#bell = bell;
    socket.on('message', (bytes) => this.#answers.push(Uint8Array.from(bytes)));
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame, THEIRS, '127.0.0.1');
  }

  /** What has come since the last time. */
  async answers(wait: number): Promise<Uint8Array[]> {
    if (this.#bell === undefined) await setTimeout(MOMENT);
    else await this.#rung(this.#bell, START);
    await setTimeout(wait);
    const answers = this.#answers.filter((bytes) => !isForBell(bytes));
    this.#answers = [];
    return answers;
  }

  /** What was sent is done once the bell is answered. */
  async #rung(bell: Uint8Array, most: number): Promise<void> {
    for (let waited = 0; waited < most; waited++) {
      if (waited % 500 === 0) this.send(bell);
      if (this.#answers.some(isForBell)) return;
      await setTimeout(1);
    }
  }
}

/** Asks for the gateway, from no address; undefined: there is no ARP. */
function bellOf({ options }: Question): Uint8Array | undefined {
  const given = Object.fromEntries(options);
  if (given['ipv4'] === 'off') return undefined;
  const { net = '', host = '' } = given;
  const gateway = ipv4Text(networkOf(setupOf({ net, host })).host);
  return arp(gateway, { sender: '0.0.0.0', from: BELL });
}

async function asked(line: Line, question: Question): Promise<Step[]> {
  const steps: Step[] = [];
  for (const { note, frame, wait = 0 } of question.asked) {
    const before = performance.now();
    line.send(frame);
    const answers = await line.answers(wait);
    steps.push({ note, frame, wait: Math.round(performance.now() - before), answers });
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
  const bell = bellOf(question);
  const line = new Line(socket, bell);
  if (bell === undefined) await setTimeout(START);
  await line.answers(0);
  const steps = await asked(line, question);
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

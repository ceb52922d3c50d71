import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { writesIn } from '../../src/gdb/allowed-folder.ts';
import { oneRun } from '../../src/gdb/conversation.ts';
import { serveGdb } from '../../src/gdb/server.ts';
import { severalMachines } from '../../src/gdb/several.ts';
import { machinesAt } from '../../src/host/trace-source.ts';
import { RecordedMachines } from '../../src/runs/fabric/recorded-machines.ts';
import { subjectOf, subjectsOf } from '../../src/gdb/subject.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { NODE } from '../../src/host/node.ts';
import { type Aside, PLAIN_LANGUAGE, tool } from '../stepping-aside.ts';

const HELD_BYTES = 1024 * 2 ** 20;
const BIN = fileURLToPath(new URL('../../bin/retrovisor.js', import.meta.url));

const GDB_WITHOUT_PYTHON: Aside = { what: 'gdb', why: 'It is here without its Python.', kind: 'tool' };

/** A network namespace of its own may be without it. */
export const NO_LOOPBACK: Aside | undefined = Object.values(networkInterfaces())
  .flat()
  .some((address) => address?.address === '127.0.0.1')
  ? undefined
  : { what: 'the loopback interface', why: 'It is not up here, and gdb comes by it.', kind: 'host' };

/** What is missing where a stock gdb cannot come. */
export const NO_GDB = tool('gdb') ?? NO_LOOPBACK;

/** The same where its gdb has no Python, which a walk is written in. */
export const NO_PYTHON_IN_GDB = NO_GDB ?? (hasPython() ? undefined : GDB_WITHOUT_PYTHON);

function hasPython(): boolean {
  return spawnSync('gdb', ['-nx', '-batch', '-ex', 'python print(42)'], { encoding: 'utf8' }).stdout.includes('42');
}

/** A server for one trace, and the port it listens on. */
export interface Served {
  readonly port: number;
  /** What it said on standard error so far. */
  said(): string;
  stop(): void;
}

/** A server in a process of its own. */
export interface ServedProcess extends Served {
  readonly process: ChildProcess;
}

/** Start `retrovisor gdb` on a free port. */
export const serve = (trace: string, ...options: string[]): Promise<ServedProcess> =>
  listening(['gdb', trace, '--port', '0', ...options]);

/** What `retrovisor gdb` serves, in this process: the start of another would cost more than most tests. */
export async function serveHere(trace: string, allowWrite?: string): Promise<Served> {
  let said = '';
  const say = (sentence: string): void => void (said += `retrovisor: ${sentence}\n`);
  const recorded = openTimeline(openRecordedRun(NODE, trace, {}), { heldBytes: HELD_BYTES, onStoredProblem: say });
  const server = await serveGdb(oneRun(subjectOf(recorded, writesIn(allowWrite))), { port: 0, once: false, say });
  return { port: server.port, said: () => said, stop: () => server.close() };
}

/** The same of all machines of a joint recording. */
export async function serveMachinesHere(joint: string): Promise<Served> {
  let said = '';
  const say = (sentence: string): void => void (said += `retrovisor: ${sentence}\n`);
  const { manifest } = machinesAt(joint)!;
  const machines = new RecordedMachines(NODE, joint, manifest, { access: {}, heldBytes: HELD_BYTES, say });
  const server = await serveGdb(severalMachines(subjectsOf(machines), 0), { port: 0, once: false, say });
  return { port: server.port, said: () => said, stop: () => server.close() };
}

/** Start `retrovisor run` with a gdb server on a free port. */
export const runLive = (...options: string[]): Promise<ServedProcess> =>
  listening(['run', '-gdb', 'tcp::0', ...options]);

/** The same before somebody who may still type. */
export const runTypedAt = (...options: string[]): Promise<ServedProcess> =>
  listening(['run', '-gdb', 'tcp::0', ...options], 'pipe');

/** Start the command line; resolves when it has said where it listens. */
async function listening(args: readonly string[], typed: 'ignore' | 'pipe' = 'ignore'): Promise<ServedProcess> {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: [typed, 'pipe', 'pipe'] });
  // A test that fails leaves no guest behind that spins.
  if (args[0] === 'run') onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  const port = await new Promise<number>((resolve, reject) => {
    let out = '';
    const hear = (bytes: unknown): void => {
      out += String(bytes);
      const found = /127\.0\.0\.1:(\d+)/.exec(out)?.[1];
      if (found !== undefined) resolve(Number(found));
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.stderr?.on('data', (bytes) => void (said += String(bytes)));
    child.on('exit', (status) => reject(new Error(`retrovisor ${args[0]} ended with ${status}: ${out}`)));
  });
  return { port, process: child, said: () => said, stop: () => void child.kill() };
}

/** A guest built with its lines for gdb, and as its loader takes it. */
export interface BuiltGuest {
  /** 64-bit ELF with DWARF. */
  readonly symbols: string;
  /** 32-bit multiboot ELF, the same bytes. */
  readonly kernel: string;
  /** The number of the line whose comment is `at NAME`. */
  line(name: string): number;
}

const SOURCES = fileURLToPath(new URL('guest/', import.meta.url));
const FREESTANDING = '-g -O0 -m64 -ffreestanding -fno-pic -no-pie -static -nostdlib -mno-red-zone -mgeneral-regs-only';
const PLAIN = '-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-unwind-tables';
const LINKED = '-Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments';
const COMPILED = `${FREESTANDING} ${PLAIN} ${LINKED}`.split(' ');

/** What of the guest's tools is missing. */
export const NO_COMPILER = tool('gcc') ?? tool('objcopy') ?? foreignCompiler();

/** A compiler may be here and build for another processor, or know other options. */
function foreignCompiler(): Aside | undefined {
  const source = 'void _start(void) {}';
  const built = spawnSync('gcc', [...COMPILED, '-x', 'c', '-', '-o', '/dev/null'], { input: source });
  const why = 'It builds no bare x86-64 guest here.';
  return built.status === 0 ? undefined : { what: 'gcc', why, kind: 'tool' };
}

/** Build the guest of `test/gdb/guest`. */
export const buildGuest = (folder: string): BuiltGuest =>
  built(folder, 'guest', SOURCES, 'main.c', [...COMPILED, `-Wl,-T,${SOURCES}link.ld`]);

const FRAMES = fileURLToPath(new URL('frames/', import.meta.url));
const UNWOUND = `${FREESTANDING} ${LINKED} -fno-stack-protector -fcf-protection=none -fno-optimize-sibling-calls`;

/** Build the guest of `test/gdb/frames`, which keeps its call frame information. */
export function buildFrames(folder: string, ...options: string[]): BuiltGuest {
  const all = [...UNWOUND.split(' '), `-ffile-prefix-map=${FRAMES}=`, `-Wl,-T,${FRAMES}link.ld`, ...options];
  return built(folder, `frames${options.join('')}`, FRAMES, 'frames.c', all);
}

function built(folder: string, name: string, sources: string, main: string, options: string[]): BuiltGuest {
  const symbols = join(folder, `${name}.debug`);
  const kernel = join(folder, `${name}.elf`);
  run('gcc', [...options, `${sources}start.S`, `${sources}${main}`, '-o', symbols]);
  run('objcopy', ['-O', 'elf32-i386', symbols, kernel]);
  const lines = readFileSync(join(sources, main), 'utf8').split('\n');
  return { symbols, kernel, line: (place) => lines.findIndex((text) => text.includes(`/* at ${place} */`)) + 1 };
}

/** Build the guest that sleeps until somebody types at it: test/gdb/guest/idle.S. */
export function buildSleeper(folder: string): Pick<BuiltGuest, 'kernel' | 'symbols'> {
  const kernel = join(folder, 'sleeper.elf');
  const options = COMPILED.filter((option) => !/^-m(64|no-red-zone)$/.test(option));
  run('gcc', ['-m32', ...options, `-Wl,-T,${SOURCES}link.ld`, `${SOURCES}idle.S`, '-o', kernel]);
  return { kernel, symbols: kernel };
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args);
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}

/** How the guest is run: it ends by isa-debug-exit. */
export const guestOptions = ({ kernel }: BuiltGuest): string[] => [
  ...['-kernel', kernel, '-m', '16', '-nodefaults', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
  ...['--wall-clock', '2024-01-01T00:00:00Z'],
];

/** gdb 16 has other words for the end of what was recorded than those before it. */
const inOlderWords = (out: string): string =>
  out.replace(/Reached end of recorded history; stopping\.\n.*/g, 'No more reverse-execution history.');

/** Why a guest cannot be shown to QEMU's own stub. */
export const NO_QEMU = tool('qemu-system-x86_64');

/** QEMU's stub on the same guest, which waits for `continue` at its reset vector. */
export async function serveQemu(folder: string, guest: BuiltGuest, ...more: string[]): Promise<Reached & Stopped> {
  const target = join(mkdtempSync(join(folder, 'qemu-')), 'gdb');
  const machine = ['-accel', 'tcg', '-nodefaults', '-display', 'none', '-no-reboot', '-m', '16', '-S'];
  const exits = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];
  const stub = ['-gdb', `unix:${target},server=on,wait=off`, '-kernel', guest.kernel];
  const child = spawn('qemu-system-x86_64', [...machine, ...exits, ...stub, ...more], { stdio: 'ignore' });
  while (!existsSync(target)) await new Promise((resolve) => setTimeout(resolve, 20));
  return { target, stop: () => void child.kill('SIGKILL') };
}

/** Something that can be ended. */
export interface Stopped {
  stop(): void;
}

/** Where a stub is, as `target remote` takes it, or `target extended-remote`. */
export interface Reached {
  readonly target: string;
  readonly isExtended?: boolean;
}

/** What stock gdb prints for a list of commands, standing at the beginning of a served trace. */
export const gdbOn = (
  { port }: Served,
  folder: string,
  commands: readonly string[],
  file: readonly string[] = [],
  whenPrinted?: (out: string, gdb: ChildProcess) => void,
): Promise<string> => gdbAt({ target: `127.0.0.1:${port}` }, folder, commands, file, whenPrinted);

/** The same for any stub. */
export async function gdbAt(
  { target, isExtended = false }: Reached,
  folder: string,
  commands: readonly string[],
  file: readonly string[] = [],
  whenPrinted: (out: string, gdb: ChildProcess) => void = () => undefined,
): Promise<string> {
  const script = join(folder, `${target.replace(/\W/g, '')}.gdb`);
  const connect = `target ${isExtended ? 'extended-remote' : 'remote'} ${target}`;
  const before = ['set pagination off', 'set confirm off', 'set remotetimeout 60', connect];
  writeFileSync(script, [...before, ...commands, 'detach', ''].join('\n'));
  // Complaints come by the same pipe as answers, or they would be read in the middle of one.
  const asked = ['-c', 'exec gdb "$@" 2>&1', 'gdb', '-nx', '-batch', ...file, '-x', script];
  const gdb = spawn('sh', asked, { env: PLAIN_LANGUAGE });
  let out = '';
  gdb.stdout.on('data', (bytes) => {
    out += String(bytes);
    whenPrinted(out, gdb);
  });
  await new Promise((resolve) => gdb.on('close', resolve));
  return inOlderWords(out);
}

/** Commands that go to a place of the run, which gdb then looks at afresh. */
export const seek = (place: string): string[] => [`monitor seek ${place}`, 'maintenance flush register-cache'];

/** Values `echo` and `printf` put into the output as `name=value`. */
export const valuesIn = (out: string, name: string): string[] =>
  [...out.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value as string);

/** A command of a session in a document, and what the document says gdb prints. */
export interface Exchange {
  readonly command: string;
  readonly printed: string;
}

/** The commands of the first ```gdb block of a document, but for the connection. */
export function sessionIn(document: string): Exchange[] {
  const session = /```gdb\n(\(gdb\)[\s\S]*?)```/.exec(document)?.[1] ?? '';
  return session
    .split(/^\(gdb\) /m)
    .slice(1)
    .map((part) => {
      const [command, ...printed] = part.split('\n');
      return { command: command as string, printed: printed.join('\n').trim() };
    })
    .filter(({ command }) => !command.startsWith('target'));
}

/** What gdb prints for each command of a session. */
export async function answersTo(
  served: Served,
  folder: string,
  session: readonly Exchange[],
  file: readonly string[] = [],
): Promise<string[]> {
  const commands = session.flatMap(({ command }, at) => [`echo @${at}@\\n`, command]);
  const out = await gdbOn(served, folder, [...commands, 'echo @end@\\n'], file);
  return session.map((_, at) => {
    const next = at + 1 === session.length ? 'end' : at + 1;
    return (out.split(new RegExp(`^@${at}@$|^@${next}@$`, 'm'))[1] ?? '').trim();
  });
}

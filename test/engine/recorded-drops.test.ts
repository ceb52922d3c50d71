import { join } from 'node:path';
import seedrandom from 'seedrandom';
import { expect, test } from 'vitest';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from '../guests/command-line.ts';
import { casesOf, IS_WHOLE, LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { type DroppableMachine, droppableMachine } from './machines.ts';

/** Recordings of Debian: RETROVISOR_SEEDS=10 (a minute of processor time each), others with RETROVISOR_SEED. */
const RUNS = casesOf('RETROVISOR_SEEDS', { whole: 1, quick: 0 });
const SEED = process.env['RETROVISOR_SEED'] ?? 'drops';
/** Our own guest, always. */
const TOURS = IS_WHOLE ? 2 : 1;
const MINUTES = 60_000;
const folder = scratchFolder();

/** Typed key by key; the first line at the prompt, the rest when it pleases. */
const TYPED = [
  'ls -l /proc >/dev/null; for i in 1 2 3 4; do (ls -lR /sys/bus >/dev/null &) ; done',
  'cat /proc/interrupts; for i in 1 2 3 4 5 6; do ls /bin | sort -r | head -n 3; done',
  'wait; sleep 1; poweroff -f',
].join('\n');

/** How a recording is disturbed: nothing of it may be seen in the trace but the keys. */
interface Disturbance {
  /** Longest piece between two pauses: 10 to the power of it ticks. */
  readonly longest: number;
  readonly keys: string;
  /** What the guest has printed when the keys begin. */
  readonly prompt: string;
}

/** Run to the end with pauses, keys, dropped caches and restored checkpoints where chance puts them. */
function disturb(subject: DroppableMachine, seed: string, { longest, keys, prompt }: Disturbance): void {
  const { machine, inputs } = subject;
  const chance = seedrandom.alea(seed);
  let typed = 0;
  let isReady = false;
  for (;;) {
    const piece = Math.ceil(10 ** (2 + (longest - 2) * chance()));
    const reason = machine.advance({ tick: machine.ticks + piece });
    if (reason.why === 'ended') return;
    isReady ||= subject.printed().includes(prompt);
    if (chance() < 0.3) subject.dropCaches();
    if (chance() < 0.01) restoreCheckpoint(machine, takeCheckpoint(machine));
    const types = reason.why === 'idle' || (isReady ? chance() < 0.7 : chance() < 0.02);
    if (!types || inputs.length > 0) continue;
    const key = isReady ? keys.charCodeAt(typed++) : 10;
    if (!Number.isNaN(key)) inputs.push({ event: { kind: 'sim:serial_received', line: 0, bytes: Uint8Array.of(key) } });
    else if (reason.why === 'idle') return;
  }
}

function expectEqualReplays(traces: readonly string[]): void {
  const { out, err, status } = retrovisor(['verify', ...traces]);
  expect(out + err).toContain(`${traces.length} of ${traces.length} traces equal`);
  expect(status).toBe(0);
}

test(`${TOURS} recordings of our own guest that lost their caches replay without`, {
  ...LONG,
  timeout: 3 * MINUTES,
}, () => {
  const traces = Array.from({ length: TOURS }, (_, at) => {
    const trace = join(folder, `tour-${at}.trace`);
    const subject = droppableMachine(['-smp', `${1 + at}`, '--events', 'guest-pt'], `${SEED} ${at}`, trace);
    disturb(subject, `${SEED} ${at}`, { longest: 5.5, keys: '', prompt: 'nothing it prints' });
    subject.close();
    expect(subject.tableWrites()).toBeGreaterThan(0);
    return trace;
  });
  expectEqualReplays(traces);
});

test.each(Array.from({ length: RUNS }, (_, run) => `${SEED} ${run}`))(
  'a recording of Debian on 4 processors, typed to, that lost its caches replays without: seed %s',
  { ...without(noGuests('vmlinuz', 'initramfs.gz')), timeout: 10 * MINUTES },
  (seed) => {
    const images = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz')];
    const append = ['-append', 'console=ttyS0 panic=-1 cryptomgr.notests=1'];
    const options = [...images, ...append, '-m', '256', '-smp', '4', '-no-reboot', '--events', 'guest-pt'];
    const trace = join(folder, `debian-${seed}.trace`);
    const subject = droppableMachine(options, seed, trace);
    disturb(subject, seed, { longest: 6.5, keys: `${TYPED}\n`, prompt: '/ # ' });
    subject.close();
    expect(subject.machine.state.schedule.ended).toEqual({ why: 'powered-off', status: 0 });
    expectEqualReplays([trace]);
    process.stdout.write(`${seed}: ${subject.machine.ticks} ticks, ${subject.tableWrites()} table writes\n`);
  },
);

/**
 * Through which files and rooms the machine goes for one byte of a serial line, one EPT violation, one tick of a LAPIC
 * timer, one MSI: what V8 counted as executed between the events of a run of a guest of ours.
 */
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as Api from '../../src/api/index.ts';

type Stamped = Api.Stamped;

/** A walk begins with one event and ends with another. Of several the `nth` is taken: the first ones set things up. */
export interface Walk {
  readonly name: string;
  /** Which guest goes it. */
  readonly guest: Api.RunRequest;
  readonly nth: number;
  begins(stamped: Stamped): boolean;
  ends(stamped: Stamped): boolean;
}

/** One event of a walk. */
export interface Step {
  readonly kind: string;
  /** As `retrovisor events` prints it, without its place. */
  readonly text: string;
  /** File of `src` that decided it. */
  readonly decidedBy: string;
  /** Files of `src` in which a function ran since the event before, sorted. */
  readonly files: readonly string[];
}

/** What was met on the way, from the first event, whose own files do not count, to the last. */
export interface Walked {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly files: readonly string[];
}

const isEntry = ({ event }: Stamped): boolean => event.kind === 'kvm_entry';

const EXIT = { ioInstruction: 30, eptViolation: 48 } as const;

/** Exit qualification of OUT DX, AL with DX = 0x3f8. SDM Vol. 3, table 28-5. */
const OUT_TO_COM1 = 0x3f8_0000;

/** Our own. */
const TOUR: Api.RunRequest = { wallClock: '2026-01-01' };
/** It takes the interrupts of a PCI function. */
const EDU: Api.RunRequest = {
  ...TOUR,
  kernel: 'test/guests/devices/edu.elf',
  devices: ['edu', 'isa-debug-exit,iobase=0xf4,iosize=4'],
  noDefaults: true,
};

const WALKS: readonly Walk[] = [
  {
    name: 'A byte out of COM1',
    guest: TOUR,
    nth: 20,
    begins: ({ event }) =>
      event.kind === 'kvm_exit' && event.exit_reason === EXIT.ioInstruction && Number(event.info1) === OUT_TO_COM1,
    ends: isEntry,
  },
  {
    name: 'An EPT violation',
    guest: TOUR,
    nth: 3,
    begins: ({ event }) => event.kind === 'kvm_exit' && event.exit_reason === EXIT.eptViolation,
    ends: isEntry,
  },
  {
    name: 'A tick of the LAPIC timer',
    guest: TOUR,
    nth: 2,
    begins: ({ event }) => event.kind === 'sim:timer_fire' && event.id.startsWith('kvm-lapic'),
    ends: ({ event }) => event.kind === 'kvm_inj_virq',
  },
  {
    name: 'An MSI, from its message',
    guest: EDU,
    nth: 1,
    begins: ({ event }) => event.kind === 'kvm_msi_set_irq',
    ends: ({ event }) => event.kind === 'kvm_inj_virq',
  },
];

/** Go these walks, one run for each guest, in a checkout of this project. */
export async function walked(checkout: string): Promise<Walked[]> {
  const root = pathToFileURL(join(checkout, 'src/')).href;
  const counter = new Counter(root);
  const { openRun, textOf }: typeof Api = await import(pathToFileURL(join(checkout, 'src/api/index.ts')).href);
  const gone = WALKS.map((walk) => new Going(walk, counter, root));
  for (const guest of new Set(WALKS.map((walk) => walk.guest))) {
    const run = openRun(guest);
    run.events$.subscribe((stamped) => {
      for (const going of gone) if (going.walk.guest === guest) going.next(stamped);
    });
    await run.ended();
  }
  counter.close();
  return gone.map((going) => going.result(textOf));
}

/** A walk under way. */
class Going {
  private met = 0;
  private isOver = false;
  private readonly steps: (Omit<Step, 'text'> & Pick<Stamped, 'event'>)[] = [];

  readonly walk: Walk;
  private readonly counter: Counter;
  private readonly root: string;

  constructor(walk: Walk, counter: Counter, root: string) {
    this.walk = walk;
    this.counter = counter;
    this.root = root;
  }

  next(stamped: Stamped): void {
    if (this.isOver) return;
    if (this.steps.length === 0) {
      if (!this.walk.begins(stamped)) return;
      this.met += 1;
      if (this.met !== this.walk.nth) return;
      // What ran until now does not count.
      this.counter.sinceLast();
      this.take(stamped, []);
      return;
    }
    this.take(stamped, this.counter.sinceLast());
    this.isOver = this.walk.ends(stamped);
  }

  private take({ event }: Stamped, files: readonly string[]): void {
    this.steps.push({ kind: event.kind, event, files, decidedBy: deciderOf(callers(this.root)) });
  }

  result(textOf: typeof Api.textOf): Walked {
    if (!this.isOver) throw new Error(`${this.walk.name}: the run has no such walk.`);
    const files = [...new Set(this.steps.flatMap((step) => step.files))].sort();
    const steps = this.steps.map(({ event, ...step }) => ({ ...step, text: textOf(event) }));
    return { name: this.walk.name, steps, files };
  }
}

/** Files of `src` in which the calls under way are, the latest first. A stack names them by path or by address. */
function callers(root: string): string[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const lines = new Error().stack?.split('\n') ?? [];
  Error.stackTraceLimit = limit;
  const folder = fileURLToPath(root);
  return lines.flatMap((line) => line.split(folder)[1]?.replace(/:.*$/, '') ?? []);
}

/** Whoever puts an event on record, tells it, and changes the state by it: not who decides that it happens. */
const TELLING = [
  ...[/^(events|reducers|replay|runs)\//, /^(kvm|machine)\/context\.ts$/, /^machine\/tell\.ts$/],
  /^vmm\/board\/(machine|device-call)\.ts$/,
];

const deciderOf = (files: readonly string[]): string =>
  files.find((file) => !TELLING.some((part) => part.test(file))) ?? '';

/** V8's count of calls, by file. */
class Counter {
  private readonly session = new Session();
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
    this.session.connect();
    this.session.post('Profiler.enable');
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Paths of files below `src` in which a function ran since the last call. */
  sinceLast(): string[] {
    const files = new Set<string>();
    this.session.post('Profiler.takePreciseCoverage', (_error, { result }) => {
      for (const { url, functions } of result) {
        const ran = functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0);
        if (ran && url.startsWith(this.root)) files.add(url.slice(this.root.length));
      }
    });
    return [...files].sort();
  }

  close(): void {
    this.session.disconnect();
  }
}

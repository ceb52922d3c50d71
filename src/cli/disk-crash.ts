import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { onOneLine } from '../base/printable.ts';
import { Problem } from '../base/problem.ts';
import { ShownImage } from '../host/disk-image.ts';
import { hearInterrupt, type Interrupt } from '../host/interrupt.ts';
import { progressOf } from '../host/progress.ts';
import { statusOf } from '../host/terminal.ts';
import { atPowerLoss, lastFlush } from '../replay/disk/at-power-loss.ts';
import { crashOf } from '../replay/disk/crash.ts';
import { fateText } from '../replay/disk/power-loss.ts';
import { type CrashPoint, drawPoints, Exposures } from '../replay/disk/crash-points.ts';
import { isOther } from '../replay/disk/difference.ts';
import { tellsOfDrives } from '../replay/disk/drive-events.ts';
import { markOf } from '../replay/places.ts';
import { CHANCE } from '../replay/sources/random.ts';
import type { Mark } from '../replay/timeline.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { finish } from '../base/work.ts';
import type { OpenedDrive } from './disk-opened.ts';
import type { Print } from './trace-commands.ts';

/** How many moments, and how the disk is judged at each. */
export interface PointsAsked {
  readonly path: string;
  readonly points: number;
  /** A command of the shell; `{}` is the image. */
  readonly check: string;
  readonly seed: string;
  /** The place from which on they are drawn. */
  readonly from: string;
}

const FAILED = 3;
const FAILURES_SHOWN = 10;
const INTERRUPTED = statusOf('SIGINT');

/** What was found so far. */
interface Tally {
  done: number;
  different: number;
  failed: number;
}

/** `disk crash --points N --check COMMAND`: power loss at so many moments. Resolves to the process status. */
export async function crashPoints(opened: OpenedDrive, asked: PointsAsked, print: Print): Promise<number> {
  if (!asked.check.includes('{}')) throw new Problem("--check has no {} where the image's name goes: 'e2fsck -fn {}'.");
  const { recorded, drive, status } = opened;
  const exposures = new Exposures(drive.id);
  for (const stamped of inOrder(recorded.run.trace, 0, tellsOfDrives)) exposures.next(stamped);
  const from = finish(markOf(asked.from, recorded.events, recorded.timeline.now));
  const isMeant = ({ seq, tick }: Mark): boolean => (typeof from === 'number' ? tick >= from : seq > from.seq);
  const moments = exposures.end().filter(isMeant);
  const points = drawPoints(moments, asked.points, CHANCE, asked.seed);
  if (points.length === 0) {
    print(`At no completion had drive ${drive.id} a write that was not durable: power loss would change nothing.`);
    return status;
  }
  print(
    `${moments.length} completions with a write of drive ${drive.id} that was not durable; ${points.length} drawn.`,
  );
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-crash-'));
  const interrupt = hearInterrupt();
  const progress = progressOf('Crashing');
  const tally = { done: 0, different: 0, failed: 0 };
  const image = new ShownImage(join(folder, 'disk.raw'));
  try {
    for await (const share of judged({ opened, asked, points, image, tally, interrupt, print })) {
      progress.at(share);
      if (!interrupt.isAsked) continue;
      progress.end();
      print(summary(tally, points.length, 'Stopped: '));
      return INTERRUPTED;
    }
  } finally {
    progress.end();
    interrupt.close();
    rmSync(folder, { recursive: true, force: true });
  }
  print(summary(tally, points.length));
  return tally.failed > 0 ? FAILED : status;
}

const summary = ({ done, different, failed }: Tally, all: number, head = ''): string =>
  `${head}${done} of ${all} images: ${different} differ from the one without loss, ${failed} failed the check.`;

interface Judging {
  readonly opened: OpenedDrive;
  readonly asked: PointsAsked;
  readonly points: readonly CrashPoint[];
  readonly image: ShownImage;
  readonly tally: Tally;
  readonly interrupt: Interrupt;
  readonly print: Print;
}

/** Judge each, and tell how far it is between them. */
async function* judged(judging: Judging): AsyncGenerator<number> {
  const { opened, points, tally } = judging;
  const { timeline, events } = opened.recorded;
  const marks = points.map(({ mark }) => mark);
  const flush = finish(lastFlush(events, opened.drive.id, marks[0]!.seq));
  for (const step of atPowerLoss(timeline, opened.drive.id, flush, marks)) {
    if (typeof step === 'number') {
      await setImmediate();
      yield (step + tally.done / points.length) / 2;
      continue;
    }
    const point = points[step.at]!;
    const crash = crashOf(step.unflushed, point.seed);
    if (isOther(crash.content, crash.without)) tally.different += 1;
    judging.image.show(crash.content);
    const { isSound, said } = await checked(judging);
    if (judging.interrupt.isAsked) return yield 1;
    tally.done += 1;
    if (!isSound) failed(judging, point, [fateText(crash), ...said]);
    yield tally.done / points.length;
  }
}

function failed({ asked, opened, tally, print }: Judging, { mark, seed }: CrashPoint, said: readonly string[]): void {
  tally.failed += 1;
  if (tally.failed > FAILURES_SHOWN) return;
  const of = opened.recorded.run.description.drives?.length === 1 ? '' : ` --drive ${opened.drive.id}`;
  const again = `retrovisor disk ${asked.path} crash${of} --at '#${mark.seq - 1}' --seed ${seed} -o IMAGE`;
  print(onOneLine(`Failed after #${mark.seq - 1}, tick ${mark.tick}: \`${again}\` makes it again.`));
  for (const line of said) print(`  ${onOneLine(line)}`);
}

const LINES_SHOWN = 8;
const MOST_SAID = 1 << 14;

/** A check that takes longer has failed: of a damaged disk some never come to an end. */
const LONGEST_MS = 60_000;
const LOOK_MS = 100;

/** Run the check on the image as it is shown. */
function checked({ asked, image, interrupt }: Judging): Promise<Checked> {
  const command = asked.check.replaceAll('{}', `'${image.path.replaceAll("'", "'\\''")}'`);
  // A group of its own, so that all of it can be ended.
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const begun = performance.now();
  let said = '';
  const hear = (bytes: Buffer): void => {
    if (said.length < MOST_SAID) said += bytes.toString();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  let isTooLong = false;
  const watch = setInterval(() => {
    isTooLong ||= performance.now() - begun > LONGEST_MS;
    if (isTooLong || interrupt.isAsked) endGroup(child.pid);
  }, LOOK_MS);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearInterval(watch);
      reject(new Problem(`The check cannot be started: ${error.message}.`));
    });
    child.once('close', (code) => {
      clearInterval(watch);
      const late = isTooLong ? [`It was ended after ${LONGEST_MS / 1000} s.`] : [];
      resolve({ isSound: code === 0, said: [...said.trim().split('\n').slice(-LINES_SHOWN), ...late] });
    });
  });
}

interface Checked {
  readonly isSound: boolean;
  readonly said: readonly string[];
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
import { FirstConsole, PRINTING } from '../replay/export/console-text.ts';
import { markOf } from '../replay/places.ts';
import { CHANCE } from '../replay/sources/random.ts';
import type { Mark } from '../replay/timeline.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { finish } from '../base/work.ts';
import { type Check, checked } from './disk-check.ts';
import type { OpenedDrive } from './disk-opened.ts';
import type { Print } from './trace-commands.ts';

/** How many moments, and how the disk is judged at each. */
export interface PointsAsked {
  readonly path: string;
  readonly points: number;
  /** A command of the shell; `{}` is the image, `{console}` what the guest had printed. */
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
  const printed = new FirstConsole();
  for (const stamped of inOrder(recorded.run.trace, 0, (kind) => tellsOfDrives(kind) || PRINTING.has(kind))) {
    exposures.next(stamped);
    printed.next(stamped);
  }
  const from = finish(
    markOf(asked.from, { events: recorded.events, pace: recorded.run.description }, recorded.timeline.now),
  );
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
  const check = { command: asked.check, image: image.path, console: join(folder, 'console.txt') };
  try {
    for await (const share of judged({ opened, asked, points, check, image, printed, tally, interrupt, print })) {
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
  readonly check: Check;
  readonly image: ShownImage;
  readonly printed: FirstConsole;
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
    writeFileSync(judging.check.console, judging.printed.before(point.mark.seq), 'latin1');
    const { isSound, said } = await checked(judging.check, judging.interrupt);
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

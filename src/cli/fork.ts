import { onOneLine } from '../base/printable.ts';
import { forkRun } from '../runs/forks/fork-run.ts';
import { NODE } from '../host/node.ts';
import { consoleShown } from '../host/output.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun } from '../runs/recorded/recorded-run.ts';
import { parseChange } from '../replay/interventions.ts';
import { statusOfRun } from './cut.ts';
import type { Print } from './trace-commands.ts';
import { UsageProblem } from '../options/usage.ts';

/** How a run is forked. */
export interface ForkOptions extends ImagePaths {
  readonly at?: string;
  readonly set?: readonly string[];
  readonly trace: string;
  readonly ticks?: number;
  readonly console?: boolean;
  /** Byte for byte, as the guest's terminal would have had it. */
  readonly raw?: boolean;
}

const ENDINGS = { ended: 'the guest ended', idle: 'every processor waits', ticks: 'as far as asked' } as const;

/** `retrovisor fork`: what would have happened. Returns the process status. */
export function fork(path: string, options: ForkOptions, print: Print): number {
  const { at, set = [], trace } = options;
  if (at === undefined || set.length === 0) throw new UsageProblem('fork needs --at PLACE and --set CHANGE.');
  const changes = set.flatMap(parseChange);
  const run = openRecordedRun(NODE, path, { ...options, acceptCut: true });
  const status = statusOfRun(run);
  const shown = options.console === true ? consoleShown(options.raw === true) : undefined;
  const { end, why, ...forked } = forkRun({
    run,
    place: at,
    changes,
    said: set.join('; '),
    trace,
    ticks: options.ticks,
    onSerial(byte) {
      shown?.take(Uint8Array.of(byte));
    },
  });
  shown?.end();
  print(`Forked at tick ${forked.at.tick}, event ${forked.at.seq}; ran to tick ${end.tick}: ${ENDINGS[why]}.`);
  const compared = `\`retrovisor diff ${path} ${trace}\` shows where the futures part.`;
  print(onOneLine(`${trace}: ${end.seq} events. ${compared}`));
  return status;
}

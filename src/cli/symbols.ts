import { writeFileSync } from 'node:fs';
import { onOneLine } from '../base/printable.ts';
import { Problem } from '../base/problem.ts';
import { worldProblem } from '../host/files.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun, openTimeline } from '../runs/recorded/recorded-run.ts';
import { NODE } from '../host/node.ts';
import { complain } from '../host/output.ts';
import { kernelFile } from '../debugger/symbols/kernel-file.ts';
import { openDebugSession } from '../debugger/session.ts';
import { statusOfRun } from './cut.ts';
import type { Print } from './trace-commands.ts';

/** What `retrovisor symbols` is asked for. */
export interface SymbolsOptions extends ImagePaths {
  /** A place as the debugger reads it. */
  readonly at: string;
  readonly output: string;
}

/** Steps back from a place where the kernel's address space is gone, as after a reboot. */
const BACK = [1_000, 30_000, 1_000_000, 30_000_000];

/** `retrovisor symbols`: the recorded kernel's own names as a file for gdb. Returns the process status. */
export function symbols(path: string, options: SymbolsOptions, print: Print): number {
  const run = openRecordedRun(NODE, path, { ...options, acceptCut: true });
  const status = statusOfRun(run);
  const session = openDebugSession(openTimeline(run, { onStoredProblem: complain }));
  session.at(options.at);
  const left = [...BACK];
  const file = kernelFile(session.view, session.vcpu, () => {
    const back = left.shift();
    if (back !== undefined) session.step(-Math.min(session.now.tick, back));
    return back !== undefined;
  });
  if (file === undefined) {
    throw new Problem(
      `No kernel's kallsyms is in memory at ${options.at}: Linux 6.1 to 6.3 are known. Try another --at.`,
    );
  }
  try {
    writeFileSync(options.output, file.bytes);
  } catch (error) {
    throw worldProblem('write', options.output, error);
  }
  const unwind = file.unwinds ? '' : ' Its ORC tables were not found: backtraces are guesses.';
  print(`${onOneLine(options.output)}: ${file.count} symbols of the recorded kernel.${unwind}`);
  return status;
}

import { Problem } from '../base/problem.ts';
import { finish } from '../base/work.ts';
import { answerPrompt } from '../debugger/prompt/prompt.ts';
import { evaluate } from '../debugger/look/vantage.ts';
import { type DebugSession, openDebugSession } from '../debugger/session.ts';
import { findNext, findPrevious, type Met } from '../debugger/stops/stop-search.ts';
import { parseBreak, parseWatch, type Stop } from '../debugger/stops/stops.ts';
import { wordsIn } from '../debugger/stops/stop-words.ts';
import { type ImagePaths, openRecordedRun, openTimeline } from '../runs/recorded/recorded-run.ts';
import { NODE } from '../host/node.ts';

/** A recorded run to stand in, for programs: what `retrovisor debug` offers people. */
export interface RunDebugger {
  readonly session: DebugSession;
  /** A stop as the prompt reads it: `break phys:0x1000 if $rax == 1`, `break exit CPUID`, `watch $cr3`. */
  stopAt(line: string): Stop;
  /** On to whichever comes first; undefined: none does, and the session stands at the end. */
  next(...stops: readonly Stop[]): Met | undefined;
  /** Back to whichever came last; undefined: none did, and the session stands at the beginning. */
  previous(...stops: readonly Stop[]): Met | undefined;
  /** A number: `$rip`, `u64[jiffies]`, and C's operators over these. */
  value(expression: string): bigint;
  /** The answer to any line of the prompt. */
  ask(line: string): string;
}

/** Open a trace to be debugged by a program. Nothing done here changes the recording. */
export function debugRun(path: string, images: ImagePaths = {}): RunDebugger {
  const session = openDebugSession(openTimeline(openRecordedRun(NODE, path, images)));
  const value = (expression: string): bigint => evaluate(session, expression);
  return {
    session,
    value,
    stopAt(line) {
      const [, verb, words = ''] = /^\s*(break|watch)\b\s*(.*)$/.exec(line) ?? [];
      if (verb === undefined) throw new Problem(`\`${line}\` is no stop: it begins with break or watch.`);
      return (verb === 'break' ? parseBreak : parseWatch)(words, wordsIn(session));
    },
    next: (...stops) => finish(findNext(session, stops)),
    previous: (...stops) => finish(findPrevious(session, stops)),
    ask: (line) => answerPrompt(session, line),
  };
}

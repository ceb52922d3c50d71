import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { openDebugSession } from '../../src/debugger/session.ts';
import { readSymbols } from '../../src/debugger/symbols/symbols.ts';
import { NODE } from '../../src/host/node.ts';
import { linearRip } from '../../src/machine/guest-view.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { OF_GDB, ours, theirs } from '../gdb/callers.ts';
import { gdbOn, NO_GDB, seek, serve } from '../gdb/stock-gdb.ts';
import { chance } from '../replay/trace/mutated.ts';
import { without } from '../stepping-aside.ts';
import { retrovisor, scratchFolder } from './command-line.ts';
import { longBoot, NO_BOOT } from './long-boot.ts';

const folder = scratchFolder();
const MARKS = 60;
const KERNEL = 0xffff_ffff_8000_0000n;
/** The share of the run from where the kernel runs at the addresses it has chosen, and what of it is looked at. */
const FIRST = 0.25;
const LOOKED_AT = 0.45;

/** gdb writes `[cold]` for what the linker calls `.cold`, and leaves out the number of a clone. */
const spelled = (name: string): string => name.replace(/\[(\w+)\]$/, '.$1').replace(/\.\d+$/, '');

const HANDLER = '<signal handler called>';

/** A function that aligns its stack anew is written down for gdb as one that was interrupted: it is not named there. */
const isSame = (names: readonly string[], gdb: readonly string[]): boolean =>
  names.length === gdb.length && gdb.every((name, at) => name === names[at] || name === HANDLER);

describe("Debian's kernel", without(NO_GDB, NO_BOOT), () => {
  test('has the callers stock gdb finds, by name, at places all over its boot', async () => {
    const trace = longBoot(folder);
    const file = join(folder, 'kernel.sym');
    expect(retrovisor(['symbols', trace, '--at', '30%', '-o', file]).status).toBe(0);
    const session = openDebugSession(openTimeline(openRecordedRun(NODE, trace, {})));
    const kallsyms = readSymbols(file, new Uint8Array(readFileSync(file)));
    // ORC alone, as `kallsyms` at the prompt leaves it.
    session.symbols = { ...kallsyms, code: undefined };
    const end = session.run.events[session.run.events.length - 1]?.tick ?? 0;
    const draw = chance(5);
    const drawn = Array.from({ length: 2 * MARKS }, () => Math.floor(end * FIRST) + draw(Math.floor(end * LOOKED_AT)));
    const marks: { readonly tick: number; readonly names: string[] }[] = [];
    for (const tick of drawn.sort((a, b) => a - b)) {
      session.goTo(tick);
      session.step(0);
      if (session.now.tick !== tick || linearRip(session.view, session.vcpu) < KERNEL) continue;
      const frames = ours(session);
      const isHandler = (at: number): boolean => frames[at + 1]?.isInterrupted === true;
      marks.push({
        tick,
        names: frames.map(({ name }, at) => (isHandler(at) ? HANDLER : spelled(name))),
      });
      expect(answerPrompt(session, 'bt')).not.toContain('?');
    }
    const served = await serve(trace, '--once');
    const asked = marks.flatMap(({ tick }) => [...seek(String(tick)), `echo @${tick}@\\n`, 'bt', 'echo @@\\n']);
    const out = await gdbOn(served, folder, [...OF_GDB, ...asked], [file]);
    served.stop();
    const wrong = marks.flatMap(({ tick, names }) => {
      const gdb = theirs(new RegExp(`@${tick}@\\n([^@]*)@@`).exec(out)?.[1] ?? '').map(({ name }) => spelled(name));
      return isSame(names, gdb) ? [] : [{ tick, names, gdb }];
    });
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(marks.length).toBeGreaterThanOrEqual(MARKS);
  });
});

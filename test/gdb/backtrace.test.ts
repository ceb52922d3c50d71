import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import type { DebugSession } from '../../src/debugger/session.ts';
import { readSymbols } from '../../src/debugger/symbols/symbols.ts';
import { debugTour, recordRun } from '../debugger/recorded-tour.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { firstOf, IS_WHOLE } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { buildFrames, gdbOn, guestOptions, NO_COMPILER, NO_GDB, seek, serveHere } from './stock-gdb.ts';

const folder = scratchFolder();
const MINUTES = 300_000;
/** Every so many instructions a place is looked at, from where the guest begins to do something. */
const STRIDE = IS_WHOLE ? 7 : 41;
const FIRST = 25_000;
const QUICKER = IS_WHOLE ? 1 : 8;

type Kind = 'edge' | 'noreturn' | 'interrupt' | 'other';
/** How many marks of each kind are compared. */
const WANTED: Readonly<Record<Kind, number>> = { edge: 80, noreturn: 40, interrupt: 40, other: 60 };

/** What a frame is called and where in its source it is. */
interface FrameSaid {
  readonly address: string | undefined;
  readonly name: string;
  readonly line: string | undefined;
}

const ours = (session: DebugSession): (FrameSaid & { readonly isInterrupted: boolean })[] =>
  answerPrompt(session, 'bt')
    .split('\n')
    .map((text) => {
      const [, address, name = '', line, note = ''] =
        /^#\d+ {2}(0x[0-9a-f]+)(?: <([^+>]+)[^>]*>)?(?: at (\S+))?(.*)$/.exec(text) ?? [];
      return { address, name, line, isInterrupted: note.includes('(interrupted)') };
    });

/** gdb leaves out the address at the beginning of a line. */
const theirs = (text: string): FrameSaid[] =>
  [
    ...text.matchAll(/^#\d+ +(?:(0x[0-9a-f]+) in )?(<signal handler called>|[\w.]+)(?: \([^)]*\))?(?: at (\S+))?$/gm),
  ].map(([, address, name = '', line]) => ({ address: address?.replace(/^0x0+/, '0x'), name, line }));

/** Where an instruction begins or ends a function, and what is on the stack below it. */
function kindOf(session: DebugSession): Kind {
  const frames = ours(session);
  const here = answerPrompt(session, 'disas $pc 1');
  const isEdge = /<\w+>: |<\w+\+0x[1-9a-f]>: |\s(pop|ret|leave|push)\b|add rsp|sub rsp/.test(here);
  if (frames.some(({ isInterrupted }) => isInterrupted)) return 'interrupt';
  if (frames.slice(1).some(({ name }) => name === 'fail')) return 'noreturn';
  return isEdge ? 'edge' : 'other';
}

/** Places of every kind, spread over the run. */
function marksOf(session: DebugSession): Map<Kind, number[]> {
  const found = new Map<Kind, number[]>();
  const { events } = session.run;
  const end = events[events.length - 1]?.tick ?? 0;
  session.goTo(FIRST);
  for (session.step(1); session.now.tick < end - STRIDE; session.step(STRIDE)) {
    const kind = kindOf(session);
    found.set(kind, [...(found.get(kind) ?? []), session.now.tick]);
  }
  for (const [kind, ticks] of found) {
    const every = Math.max(1, Math.floor((ticks.length * QUICKER) / WANTED[kind]));
    found.set(
      kind,
      ticks.filter((_, at) => at % every === 0),
    );
  }
  return found;
}

/** gdb keeps words of the stack from one place to the next, if it is not told that they change. */
const OF_GDB = [
  'set stack-cache off',
  'set print frame-arguments none',
  'set print entry-values no',
  'set backtrace past-main on',
];

describe.each(firstOf(1, ['-O2', '-O0', '-O1']))('the callers of a guest built with %s', (level) => {
  test.each(firstOf(1, ['-gdwarf-5', '-gdwarf-4']))(
    'are those stock gdb names, with the lines it prints, by %s',
    { ...without(NO_GDB, NO_COMPILER), timeout: MINUTES },
    async (dwarf) => {
      const guest = buildFrames(folder, level, dwarf);
      const trace = join(folder, `${level}${dwarf}.trace`);
      recordRun([...guestOptions(guest), '--trace', trace]);
      const session = debugTour(trace);
      session.symbols = readSymbols(guest.symbols, new Uint8Array(readFileSync(guest.symbols)));
      const marks = marksOf(session);
      for (const [kind, wanted] of Object.entries(WANTED)) {
        expect(`${kind} ${(marks.get(kind as Kind)?.length ?? 0) >= wanted / QUICKER - 1}`).toBe(`${kind} true`);
      }
      const ticks = [...marks.values()].flat();
      const served = await serveHere(trace);
      const asked = ticks.flatMap((tick) => [...seek(String(tick)), `echo @${tick}@\\n`, 'bt', 'echo @@\\n']);
      const out = await gdbOn(served, folder, [...OF_GDB, ...asked], [guest.symbols]);
      served.stop();
      const wrong: unknown[] = [];
      for (const tick of ticks) {
        session.goTo(tick);
        session.step(0);
        const gdb = theirs(new RegExp(`@${tick}@\\n([^@]*)@@`).exec(out)?.[1] ?? '');
        const frames = ours(session);
        const seen = frames.map(({ address, name, line }, at) => {
          if (frames[at + 1]?.isInterrupted === true) return { name: '<signal handler called>' };
          const said = { name, line };
          return gdb[at]?.address === undefined ? said : { ...said, address };
        });
        const expected = gdb.map(({ address, name, line }) => ({
          name,
          ...(name.startsWith('<') ? {} : { line }),
          ...(address === undefined || name.startsWith('<') ? {} : { address }),
        }));
        if (JSON.stringify(sorted(seen)) !== JSON.stringify(sorted(expected))) wrong.push({ tick, seen, expected });
      }
      expect(wrong.slice(0, 3)).toEqual([]);
      expect(ticks.length).toBeGreaterThanOrEqual(200 / QUICKER);
    },
  );
});

const sorted = (frames: readonly object[]): object[] =>
  frames.map((frame) =>
    Object.fromEntries(
      Object.entries(frame)
        .filter(([, value]) => value !== undefined)
        .sort(),
    ),
  );

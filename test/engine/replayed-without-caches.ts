import seedrandom from 'seedrandom';
import { digestOf } from '../../src/base/digest.ts';
import type { GuestEngine } from '../../src/engine/index.ts';
import { assemble } from '../../src/runs/machine/assemble.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun } from '../../src/runs/recorded/recorded-run.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';

/** How often caches were filled in windows of equal length. */
export interface Refills {
  readonly windows: number;
  readonly translations: number;
  readonly codePages: number;
}

/** What a replay that lost its caches came to. */
export interface WithoutCaches {
  readonly events: number;
  readonly agreed: number;
  readonly divergence: string | undefined;
  /** Of the state at the end, and of guest memory: what `retrovisor replay` prints. */
  readonly digest: string;
  /** Fills right after a drop, and as often at ticks where nothing was dropped. */
  readonly afterDrops: Refills;
  readonly otherwise: Refills;
}

/** Ticks whose fills are counted: too few for a processor to meet much that is new to it. */
const WINDOW = 200;

/** Run a trace again, and drop translations, walks of EPT and decoded code at so many ticks where chance puts them. */
export function replayWithoutCaches(path: string, drops: number, seed: string): WithoutCaches {
  const run = openRecordedRun(NODE, path, {});
  const { events } = run.read;
  const verifier = createVerifier(events);
  const inputs = recordedInputs(events, run.description);
  const machine = createMachine(assemble({ ...run, inputs, onEvent: verifier.check }));
  const lastTick = events.at(-1)?.tick ?? 0;
  const chance = seedrandom.alea(seed);
  const places = Array.from({ length: 2 * drops }, (_, at) => ({
    tick: Math.floor(chance() * lastTick),
    isDrop: at < drops,
  })).sort((a, b) => a.tick - b.tick);
  const counted = {
    drop: { windows: 0, translations: 0, codePages: 0 },
    plain: { windows: 0, translations: 0, codePages: 0 },
  };
  for (const { tick, isDrop } of places) {
    if (verifier.divergence !== undefined) break;
    machine.advance({ tick });
    if (isDrop) engineOf(machine).dropCaches();
    countFills(machine, isDrop ? counted.drop : counted.plain);
  }
  const { agreed, divergence } = replayTo(machine, events, verifier);
  run.trace.close();
  return {
    events: events.length,
    agreed,
    divergence: divergence === undefined ? undefined : describeDivergence(divergence),
    digest: digestOf(machine.state) + machine.pages.digest(),
    afterDrops: counted.drop,
    otherwise: counted.plain,
  };
}

const engineOf = (machine: Machine): GuestEngine => machine.engine as GuestEngine;

function countFills(machine: Machine, into: { windows: number; translations: number; codePages: number }): void {
  const before = engineOf(machine).cacheFills;
  machine.advance({ tick: machine.ticks + WINDOW });
  const after = engineOf(machine).cacheFills;
  into.windows += 1;
  into.translations += after.translations - before.translations;
  into.codePages += after.codePages - before.codePages;
}

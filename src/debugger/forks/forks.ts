import type { Intervention } from '../../machine/intervene.ts';
import { type Build, type Diversion, divert } from './diversion.ts';
import type { Ground } from './ground.ts';
import type { Journey } from '../travel/travel.ts';
import type { Travels } from '../travel/traveller.ts';

/** A register or memory that gdb wants otherwise, and how somebody would type it after `--set`. */
export interface WantedChange {
  readonly intervention: Intervention;
  readonly said: string;
}

/** What `monitor fork` does. Every answer is a sentence. */
export interface Forking {
  describe(): string;
  save(path: string): string;
  discard(): string;
}

/** Where gdb stands: in the run itself, or in a fork that began when it changed something. */
export interface Forks {
  readonly current: Diversion | undefined;
  here(): Ground;
  /** Through the fork while there is one, and back past where it began into what it came from. */
  readonly travels: Travels;
  /** Change something here, in a fork. A sentence, when that cannot be. */
  change(changes: readonly WantedChange[]): string | undefined;
  readonly fork: Forking;
  /** Back in the run itself. */
  drop(): void;
  takeNotices(): readonly string[];
}

interface Standing {
  readonly origin: Ground;
  diversion: Diversion | undefined;
}

/** Forks of one run; `parent` is its trace. `save` writes one to a file and says so. */
export function forksOf(
  origin: Ground,
  parent: string | undefined,
  build: Build,
  save: (path: string, diversion: Diversion) => string,
): Forks {
  const standing: Standing = { origin, diversion: undefined };
  const notices: string[] = [];
  const here = (): Ground => standing.diversion ?? origin;
  return {
    get current() {
      return standing.diversion;
    },
    here,
    travels: travellerThrough(standing),
    change(changes) {
      if (here().timeline.machine.state.schedule.ended !== undefined) return 'The run has ended here.';
      let { diversion } = standing;
      const tooMuch = refusal(diversion, changes);
      if (tooMuch !== undefined) return tooMuch;
      if (diversion === undefined || !isAtItsEnd(diversion)) {
        diversion = divert(build, parent, here(), diversion?.said ?? []);
        standing.diversion = diversion;
        notices.push(leaveSentence(diversion));
      }
      for (const { intervention, said } of changes) diversion.change(intervention, said);
      return undefined;
    },
    fork: {
      describe: () => describeFork(standing.diversion),
      save(path) {
        if (standing.diversion === undefined) return NOT_DIVERTED;
        return path === '' ? 'Say where to: `monitor fork save FILE`.' : save(path, standing.diversion);
      },
      discard() {
        if (standing.diversion === undefined) return NOT_DIVERTED;
        standing.diversion = undefined;
        return 'Back in the recorded run, where it was left.';
      },
    },
    drop() {
      standing.diversion = undefined;
      notices.length = 0;
    },
    takeNotices: () => notices.splice(0),
  };
}

/** Forks of forks: each is a machine of its own. */
const MOST_NESTED = 8;
/** Characters of what was changed, as it may be typed again. */
const MOST_SAID = 2 ** 24;

/** Why no more can be changed. */
function refusal(diversion: Diversion | undefined, changes: readonly WantedChange[]): string | undefined {
  if (diversion === undefined) return undefined;
  let depth = 1;
  for (let ground = diversion.parent; isDiversion(ground); ground = ground.parent) depth += 1;
  if (depth >= MOST_NESTED && !isAtItsEnd(diversion)) return `Forks lie ${MOST_NESTED} deep at most.`;
  const said = [...diversion.said, ...changes.map((change) => change.said)].reduce(
    (sum, { length }) => sum + length,
    0,
  );
  return said > MOST_SAID ? 'More was changed in this fork than can be kept.' : undefined;
}

function isAtItsEnd({ timeline, endSeq }: Diversion): boolean {
  return timeline.now.seq === endSeq && timeline.now.tick === timeline.end.tick;
}

const NOT_DIVERTED = 'This is the recorded run: nothing was changed.';

const leaveSentence = ({ at }: Diversion): string =>
  `Forked at instruction ${at.tick}: the recorded run stays as it is (monitor fork).\n`;

function describeFork(diversion: Diversion | undefined): string {
  if (diversion === undefined) return NOT_DIVERTED;
  const { at, said, timeline } = diversion;
  const place = `instruction ${at.tick}, event ${at.seq}`;
  return `A fork since ${place}; it has come to instruction ${timeline.end.tick}. Changed: ${said.join('; ')}.`;
}

function travellerThrough(standing: Standing): Travels {
  const here = (): Travels => (standing.diversion ?? standing.origin).traveller;
  /** Out of the diversion to its beginning, which is a place of its parent too. */
  function* leave({ parent, at }: Diversion): Journey {
    standing.diversion = isDiversion(parent) ? parent : undefined;
    return yield* parent.traveller.go(at.tick);
  }
  function* backwards(way: (traveller: Travels) => Journey): Journey {
    for (;;) {
      const { diversion } = standing;
      const stop = yield* way(here());
      if (diversion === undefined || stop.why !== 'begin') return stop;
      yield* leave(diversion);
    }
  }
  return {
    get machine() {
      return here().machine;
    },
    get vcpu() {
      return here().vcpu;
    },
    get isAtEnd() {
      return here().isAtEnd;
    },
    step: (vcpu, wanted) => here().step(vcpu, wanted),
    run: (wanted) => here().run(wanted),
    stepBack: (vcpu, wanted) => backwards((traveller) => traveller.stepBack(vcpu, wanted)),
    runBack: (wanted) => backwards((traveller) => traveller.runBack(wanted)),
    *go(tick) {
      while (standing.diversion !== undefined && tick < standing.diversion.at.tick) yield* leave(standing.diversion);
      const { diversion } = standing;
      return yield* here().go(diversion === undefined ? tick : Math.min(tick, diversion.lastTick));
    },
  };
}

const isDiversion = (ground: Ground): ground is Diversion => 'parent' in ground;

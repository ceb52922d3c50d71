import type { RecordedTimeline } from '../../host/recorded-run.ts';
import { describeDivergence } from '../../replay/divergence.ts';
import { traceInputs } from '../../replay/trace/trace-inputs.ts';
import { type GuestView, readLinear, vcpuCount } from '../guest-view.ts';
import { answerPrompt } from '../prompt.ts';
import { type DebugSession, openDebugSession } from '../session.ts';
import { type Diversion, divert } from './diversion.ts';
import { type Ground, LONGEST_INSTRUCTION, looksAt } from './ground.ts';
import { QUESTIONS } from './monitor.ts';
import type { StubSubject } from './stub.ts';
import { createTraveller, type Journey, type Traveller, type Travels } from './travel.ts';

/** A recorded run as gdb's stub looks at it. */
export function subjectOf(recorded: RecordedTimeline): StubSubject {
  const { verifier, run } = recorded;
  const standing: Standing = { recorded: groundOf(recorded), diversion: undefined };
  const notices: string[] = [];
  const session = openDebugSession(recorded);
  return {
    ...looksAt(() => standing.diversion ?? standing.recorded),
    traveller: travellerThrough(standing),
    vcpus: vcpuCount(standing.recorded.view),
    problem: () => (verifier.divergence === undefined ? undefined : describeDivergence(verifier.divergence)),
    rests: () => false,
    joined: () => undefined,
    left() {
      standing.diversion = undefined;
      notices.length = 0;
    },
    ask: (line, vcpu) => (isQuestion(line) ? answered(standing, session, line, vcpu) : undefined),
    takeNotices: () => notices.splice(0),
    change(changes) {
      const { diversion } = standing;
      const ground = diversion ?? standing.recorded;
      if (ground.timeline.machine.state.schedule.ended !== undefined) return 'The run has ended here.';
      if (diversion === undefined || !isAtItsEnd(diversion)) {
        standing.diversion = divert(run, ground, diversion?.said ?? []);
        notices.push(leaveSentence(standing.diversion));
      }
      for (const { intervention, said } of changes) (standing.diversion as Diversion).change(intervention, said);
      return undefined;
    },
    fork: {
      describe: () => describeFork(standing.diversion),
      save(path) {
        if (standing.diversion === undefined) return NOT_DIVERTED;
        if (path === '') return 'Say where to: `monitor fork save FILE`.';
        standing.diversion.save(path);
        const compare = `\`retrovisor diff ${run.path} ${path}\` shows where the futures part.`;
        return `${path}: ${standing.diversion.endSeq} events. ${compare}`;
      },
      discard() {
        if (standing.diversion === undefined) return NOT_DIVERTED;
        standing.diversion = undefined;
        return 'Back in the recorded run, where it was left.';
      },
    },
  };
}

const isQuestion = (line: string): boolean => QUESTIONS.includes(line.split(/\s+/)[0] as string);

/** The prompt's answer; the run stands where it stood. */
function answered({ recorded, diversion }: Standing, session: DebugSession, line: string, vcpu: number): string {
  if (diversion !== undefined) return 'That is asked of the recorded run: `monitor fork discard` goes back there.';
  const { tick } = recorded.timeline.now;
  session.stood(vcpu);
  const answer = answerPrompt(session, line);
  recorded.traveller.deafen();
  const way = recorded.traveller.go(tick);
  while (way.next().done !== true);
  return answer;
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

interface Standing {
  readonly recorded: Ground;
  diversion: Diversion | undefined;
}

function groundOf({ timeline, events, run, kvmState }: RecordedTimeline): Ground {
  const view: GuestView = { machine: timeline.machine, kvmState };
  const last = events[events.length - 1];
  const lastTick = last?.tick ?? 0;
  const code = (vcpu: number, linear: bigint): Uint8Array => readLinear(view, vcpu, linear, LONGEST_INSTRUCTION);
  return {
    view,
    timeline,
    traveller: createTraveller({ timeline, lastSeq: last?.seq ?? 0, lastTick, code }),
    firstTick: 0,
    lastTick,
    endSeq: (last?.seq ?? -1) + 1,
    event: (seq) => events[seq],
    inputsFrom: (from) =>
      traceInputs(run.trace, events.length, run.description.nsPerTick).filter(({ seq = 0 }) => seq >= from),
  };
}

/** Goes through the diversion while there is one, and back past where it began into what it came from. */
function travellerThrough(standing: Standing): Travels {
  const here = (): Traveller => (standing.diversion ?? standing.recorded).traveller;
  /** Out of the diversion to its beginning, which is a place of its parent too. */
  function* leave({ parent, at }: Diversion): Journey {
    standing.diversion = isDiversion(parent) ? parent : undefined;
    return yield* parent.traveller.go(at.tick);
  }
  function* backwards(way: (traveller: Traveller) => Journey): Journey {
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
    stepBack: (vcpu) => backwards((traveller) => traveller.stepBack(vcpu)),
    runBack: (wanted) => backwards((traveller) => traveller.runBack(wanted)),
    *go(tick) {
      while (standing.diversion !== undefined && tick < standing.diversion.at.tick) yield* leave(standing.diversion);
      const { diversion } = standing;
      return yield* here().go(diversion === undefined ? tick : Math.min(tick, diversion.lastTick));
    },
  };
}

const isDiversion = (ground: Ground): ground is Diversion => 'parent' in ground;

import { finish, leave, type Work } from '../base/work.ts';
import { assemble } from '../runs/machine/assemble.ts';
import type { RecordedTimeline } from '../runs/recorded/recorded-run.ts';
import { Moments } from '../replay/places.ts';
import { describeDivergence } from '../replay/divergence.ts';
import { traceInputs } from '../replay/trace/trace-inputs.ts';
import { type GuestView, readLinear, vcpuCount } from '../machine/guest-view.ts';
import { answering } from '../debugger/prompt/prompt.ts';
import { neighboursIn } from '../debugger/prompt/company.ts';
import type { RecordedMachines } from '../runs/fabric/recorded-machines.ts';
import { type DebugSession, openDebugSession } from '../debugger/session.ts';
import { saveDiversion } from '../debugger/forks/diversion.ts';
import { forksOf } from '../debugger/forks/forks.ts';
import { type Ground, LONGEST_INSTRUCTION, looksAt } from '../debugger/forks/ground.ts';
import { QUESTIONS } from '../debugger/prompt/commands.ts';
import { type PathFor, WRITES_NOTHING } from './allowed-folder.ts';
import type { Sentences } from './monitor.ts';
import type { MachineSubject } from './several.ts';
import { createTraveller, type Traveller } from '../debugger/travel/traveller.ts';

/** The machines of a recording as gdb looks at them. */
export function subjectsOf(machines: RecordedMachines, pathFor: PathFor = WRITES_NOTHING): MachineSubject[] {
  const sessions = machines.names.map((_name, own) => {
    const session = openDebugSession(machines.timeline(own));
    session.neighbours = neighboursIn(machines, own, (other) => sessions[other]!);
    return session;
  });
  // Bridges are behind the others, and have no processors to stand at.
  const names = machines.names.filter((_name, at) => machines.timeline(at).timeline.machine.state.config.smp > 0);
  return names.map((name, at) => ({ ...subjectOf(machines.timeline(at), pathFor, sessions[at]), name }));
}

/** A recorded run as gdb's stub looks at it. `session`: what answers questions of the prompt. */
export function subjectOf(
  recorded: RecordedTimeline,
  pathFor: PathFor = WRITES_NOTHING,
  session: DebugSession = openDebugSession(recorded),
): Omit<MachineSubject, 'name'> {
  const { verifier, run, timeline, events } = recorded;
  const view: GuestView = { machine: timeline.machine };
  const last = events[events.length - 1];
  const traveller = createTraveller({
    timeline,
    lastSeq: last?.seq ?? 0,
    lastTick: last?.tick ?? 0,
    code: (vcpu, linear) => readLinear(view, vcpu, linear, LONGEST_INSTRUCTION),
  });
  const ground: Ground = {
    view,
    timeline,
    traveller,
    firstTick: 0,
    lastTick: last?.tick ?? 0,
    endSeq: (last?.seq ?? -1) + 1,
    event: (seq) => events[seq],
    inputsFrom: (from) => traceInputs(run.trace, events.length, run.description).filter(({ seq = 0 }) => seq >= from),
  };
  const forks = forksOf(
    ground,
    run.path,
    (parts) => assemble({ ...run, ...parts }),
    (path, diversion) => {
      saveDiversion(path, run, diversion);
      const compare = `\`retrovisor diff ${run.path} ${path}\` shows where the futures part.`;
      return `${path}: ${diversion.endSeq} events. ${compare}`;
    },
  );
  const moments = new Moments({ events, pace: run.description });
  return {
    ...looksAt(forks.here),
    traveller: forks.travels,
    pathFor,
    vcpus: vcpuCount(view),
    problem: () => (verifier.divergence === undefined ? undefined : describeDivergence(verifier.divergence)),
    symbols: () => session.symbols,
    rests: () => false,
    joined: () => undefined,
    left: forks.drop,
    ask(line, vcpu) {
      if (!QUESTIONS.includes(line.split(/\s+/)[0] as string)) return undefined;
      if (forks.current !== undefined) return sentence(ELSEWHERE);
      return answered(session, traveller, line, vcpu);
    },
    takeNotices: forks.takeNotices,
    *follow(ns) {
      // What was changed in a fork has no moment that the others share.
      if (forks.current !== undefined) return;
      const { mark } = yield* silent(moments.standingAt(ns));
      yield* silent(timeline.seeking(mark));
      traveller.deafen();
    },
    change: forks.change,
    fork: forks.fork,
  };
}

/** Work whose progress nobody is told. */
export function* silent<T>(work: Work<T>): Generator<void, T, void> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    yield;
  }
}

const ELSEWHERE = 'That is asked of the recorded run: `monitor fork discard` goes back there.';

// biome-ignore lint/correctness/useYield: a sentence that is known comes in one piece.
function* sentence(text: string): Sentences {
  return text;
}

/** The prompt's answer; the run stands where it stood, also when somebody does not wait for it. */
function* answered(session: DebugSession, traveller: Traveller, line: string, vcpu: number): Sentences {
  const { tick } = session.now;
  session.stood(vcpu);
  const work = answering(session, line);
  try {
    for (;;) {
      const step = work.next();
      if (step.done === true) return step.value.text;
      yield;
    }
  } finally {
    finish(leave(work));
    traveller.deafen();
    const way = traveller.go(tick);
    while (way.next().done !== true);
  }
}

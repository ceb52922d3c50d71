import type { Arrived, Journey } from '../debugger/travel/travel.ts';
import { type Answer, answerPacket, arriveWith, freshStub, type StubState } from './stub.ts';
import type { StubSubject } from './stub-subject.ts';

/** What gdb stands in, one run or several, as the server needs it. */
export interface Served {
  /** gdb has come: nothing is selected, nothing set. */
  begin(): Conversation;
  /** gdb has gone; nothing of what it set up stays. `killed`: it asked for the run's end. */
  left(killed: boolean): void;
  /** A journey waits for somebody else: look again in a while. */
  rests(): boolean;
  /** What a person is to be told with the next answer. */
  takeNotices(): readonly string[];
  /** A sentence about how the replay went so far, when it went wrong. */
  problem(): string | undefined;
}

/** One gdb's packets and what it is answered. */
export interface Conversation {
  readonly acknowledges: boolean;
  answer(body: string): Answer;
  /** A journey is over: the stop's packet. */
  arrive(stop: Arrived, signal?: string): string;
  /** A journey was left where it was: what is to be done before its stop is told. */
  halt(): Journey;
  /** A `monitor` command is over. */
  told(): void;
}

/** One run. */
export const oneRun = (subject: StubSubject): Served => ({
  begin() {
    subject.joined();
    return talkAbout(subject, freshStub(subject));
  },
  left: (killed) => subject.left(killed),
  rests: () => subject.rests(),
  takeNotices: () => subject.takeNotices(),
  problem: () => subject.problem(),
});

/** A talk about one run. */
export const talkAbout = (subject: StubSubject, stub: StubState): Conversation => ({
  get acknowledges() {
    return stub.acknowledges;
  },
  answer: (body) => answerPacket(stub, subject, body),
  arrive: (stop, signal) => arriveWith(stub, subject, stop, signal),
  // biome-ignore lint/correctness/useYield: it stands where it is.
  *halt() {
    return { why: 'step', vcpu: subject.traveller.vcpu };
  },
  told() {
    stub.stopped.last = { why: 'step', vcpu: stub.stopped.last.vcpu };
  },
});

import { unreachable } from '../base/invariant.ts';
import type { StubSubject } from './stub-subject.ts';
import type { Watchpoint } from '../engine/index.ts';
import { peekDevice } from '../machine/device-peek.ts';
import { type GuestView, linearRipOf, readPhysical } from '../machine/guest-view.ts';
import { evaluateAgent } from './agent-expression.ts';
import { describeMonitor, type Sentences } from './monitor.ts';
import { bytesIn, bytesOf, hexNumber, hexOf, hexText, PACKET_SIZE } from './packet.ts';
import { allRegistersHex, registerHex, REGISTERS, registerView, type RegisterView } from './registers.ts';
import { writeAllRegisters, writeMemory, writeRegister } from './changes.ts';
import { insertStop, removeStop, type StopsSet } from './stops.ts';
import { TARGET_XML } from './target-description.ts';
import type { Arrived, Journey, StopsWanted } from '../debugger/travel/travel.ts';

/** What gdb has set up. */
export interface StubState extends StopsSet {
  /** vCPU of `Hg`: registers and memory. -1: whichever the machine stops at. */
  general: number;
  /** vCPU of `Hc`; -1: all or any. */
  resumed: number;
  acknowledges: boolean;
  /** Addresses of memory are guest-physical: QEMU's `Qqemu.PhyMemMode`. */
  isPhysical: boolean;
  readonly stopped: { last: Arrived };
  /** vCPUs whose RIP gdb wrote since the machine stands here. */
  readonly placed: Set<number>;
  /** The tick gdb was last told it stands at. */
  toldAt: number;
}

/** An answer: one packet's body, or a way through the run whose end is answered. */
export type Answer =
  | { readonly kind: 'reply'; readonly body: string; readonly then?: 'detach' | 'kill' }
  | { readonly kind: 'journey'; readonly journey: Journey }
  | { readonly kind: 'sentences'; readonly sentences: Sentences };

/** A fresh connection: nothing selected, nothing set. */
export const freshStub = (subject: StubSubject): StubState => ({
  general: -1,
  resumed: -1,
  breakpoints: new Map(),
  watchpoints: new Map(),
  acknowledges: true,
  isPhysical: false,
  stopped: { last: { why: 'step', vcpu: subject.traveller.vcpu } },
  placed: new Set(),
  toldAt: subject.moment().tick,
});

const FEATURES = [
  `PacketSize=${PACKET_SIZE.toString(16)}`,
  'QStartNoAckMode+',
  'qXfer:features:read+',
  'vContSupported+',
  'swbreak+',
  'hwbreak+',
  'ReverseStep+',
  'ReverseContinue+',
  'ConditionalBreakpoints+',
].join(';');

const UNMAPPED = 'E14';
const MALFORMED = 'E22';

const RBP = 6;
const RSP = 7;
const RIP = 16;
const RIP_WRITTEN = `${RIP.toString(16)}=`;

const reply = (body: string): Answer => ({ kind: 'reply', body });
const travels = (journey: Journey): Answer => ({ kind: 'journey', journey });

/** Answer one packet. What is not known is answered by nothing, as the protocol asks. */
export function answerPacket(stub: StubState, subject: StubSubject, body: string): Answer {
  const handler = HANDLERS.find(([prefix]) => body.startsWith(prefix));
  return handler === undefined ? reply('') : handler[1](stub, subject, body.slice(handler[0].length));
}

type Handler = (stub: StubState, subject: StubSubject, rest: string) => Answer;

const constant =
  (body: string): Handler =>
  () =>
    reply(body);

/** A packet without operands. One that only begins like it is another, which is not known. */
const alone =
  (handler: (stub: StubState, subject: StubSubject) => Answer): Handler =>
  (stub, subject, rest) =>
    rest === '' ? handler(stub, subject) : reply('');

/** By prefix; the first that fits answers. */
const HANDLERS: readonly (readonly [string, Handler])[] = [
  ['qSupported', constant(FEATURES)],
  ['QStartNoAckMode', noAcknowledgements],
  ['qXfer:features:read:', (_stub, _subject, rest) => reply(featuresPiece(rest))],
  ['qRcmd,', monitorCommand],
  ['qqemu.Supported', constant('PhyMemMode')],
  ['qqemu.PhyMemMode', ({ isPhysical }) => reply(isPhysical ? '1' : '0')],
  ['Qqemu.PhyMemMode:', setPhysical],
  ['qfThreadInfo', (_stub, subject) => reply(`m${vcpuList(subject)}`)],
  ['qsThreadInfo', constant('l')],
  ['qThreadExtraInfo,', (_stub, subject, rest) => reply(threadInfo(subject, rest))],
  ['qAttached', constant('1')],
  ['qC', alone((stub, subject) => reply(`QC${selected(stub, subject) + 1}`))],
  ['vCont?', constant('vCont;c;C;s;S;r')],
  ['vCont;', resumeActions],
  ['vKill', () => ({ kind: 'reply', body: 'OK', then: 'kill' })],
  [
    'bs',
    alone((stub, subject) => travels(subject.traveller.stepBack(steppedVcpu(stub, subject), wantedBy(stub, subject)))),
  ],
  ['bc', alone((stub, subject) => travels(subject.traveller.runBack(wantedBy(stub, subject))))],
  ['?', alone((stub, subject) => reply(stopReply(subject, stub.stopped.last)))],
  ['g', alone((stub, subject) => reply(allRegistersHex(view(stub, subject))))],
  ['p', readRegister],
  ['m', readMemory],
  ['G', (stub, subject, rest) => written(stub, subject, writeAllRegisters(subject, selected(stub, subject), rest))],
  ['P', (stub, subject, rest) => written(stub, subject, writeRegister(subject, selected(stub, subject), rest), rest)],
  ['M', (stub, subject, rest) => reply(writeMemory(subject, memoryOf(stub, subject), rest, bytesOf))],
  ['X', (stub, subject, rest) => reply(writeMemory(subject, memoryOf(stub, subject), rest, bytesIn))],
  ['H', selectThread],
  ['T', (_stub, subject, rest) => reply(vcpuOf(subject, rest) === undefined ? 'E01' : 'OK')],
  ['Z', (stub, _subject, rest) => reply(insertStop(stub, rest))],
  ['z', (stub, _subject, rest) => reply(removeStop(stub, rest))],
  ['c', alone((stub, subject) => travels(subject.traveller.run(wantedBy(stub, subject))))],
  ['s', alone((stub, subject) => travels(stepOnce(stub, subject, steppedVcpu(stub, subject))))],
  ['D', () => ({ kind: 'reply', body: 'OK', then: 'detach' })],
  ['k', alone(() => ({ kind: 'reply', body: '', then: 'kill' }))],
];

function noAcknowledgements(stub: StubState): Answer {
  stub.acknowledges = false;
  return reply('OK');
}

/** `annex:offset,length`. */
function featuresPiece(rest: string): string {
  const [annex, range] = rest.split(':');
  const [offset, length] = (range ?? '').split(',').map(hexNumber);
  if (annex !== 'target.xml') return 'E00';
  if (offset === undefined || length === undefined) return MALFORMED;
  const piece = TARGET_XML.slice(Number(offset), Number(offset + length));
  return `${offset + length >= BigInt(TARGET_XML.length) ? 'l' : 'm'}${piece}`;
}

// Threads are vCPUs, numbered from 1.

const vcpuList = ({ vcpus }: StubSubject): string =>
  Array.from({ length: vcpus }, (_, vcpu) => (vcpu + 1).toString(16)).join(',');

/** A thread's vCPU; undefined when there is none. */
function vcpuOf({ vcpus }: StubSubject, text: string): number | undefined {
  const thread = hexNumber(text);
  return thread !== undefined && thread >= 1n && thread <= BigInt(vcpus) ? Number(thread) - 1 : undefined;
}

/** By KVM_MP_STATE_*: runnable, uninitialized, INIT received, halted. */
const ACTIVITIES = ['', ' [waits for SIPI]', ' [waits for SIPI]', ' [halted]'];

function threadInfo(subject: StubSubject, rest: string): string {
  const vcpu = vcpuOf(subject, rest);
  if (vcpu === undefined) return 'E01';
  return hexText(`CPU#${vcpu}${ACTIVITIES[subject.activity(vcpu)] ?? ''}`);
}

/** The vCPU whose registers and memory are looked at. */
const selected = ({ general, stopped }: StubState, subject: StubSubject): number =>
  general >= 0 ? general : (stopped.last.vcpu ?? subject.traveller.vcpu);

/** The vCPU a plain `s` or `bs` is about: `Hc`'s, else `Hg`'s, as gdb means them. */
const steppedVcpu = (stub: StubState, subject: StubSubject): number =>
  stub.resumed >= 0 ? stub.resumed : selected(stub, subject);

function selectThread(stub: StubState, subject: StubSubject, rest: string): Answer {
  const text = rest.slice(1);
  const vcpu = text === '0' || text === '-1' ? -1 : vcpuOf(subject, text);
  if (vcpu === undefined || !'gc'.includes(rest[0] ?? '?')) return reply('E01');
  if (rest[0] === 'g') stub.general = vcpu;
  else stub.resumed = vcpu;
  return reply('OK');
}

// Registers and memory.

const view = (stub: StubState, subject: StubSubject): RegisterView =>
  registerView(subject.registers(selected(stub, subject)), subject.moment());

function readRegister(stub: StubState, subject: StubSubject, rest: string): Answer {
  const number = hexNumber(rest);
  if (number === undefined) return reply(MALFORMED);
  return reply(registerHex(view(stub, subject), Number(number)) ?? 'E00');
}

/** Registers of a vCPU were written: all, or the one of `n=value`. */
function written(stub: StubState, subject: StubSubject, body: string, rest = RIP_WRITTEN): Answer {
  if (body === 'OK' && hexNumber(rest.split('=')[0]) === BigInt(RIP)) stub.placed.add(selected(stub, subject));
  return reply(body);
}

function readMemory(stub: StubState, subject: StubSubject, rest: string): Answer {
  const [address, length] = rest.split(',').map(hexNumber);
  if (address === undefined || length === undefined) return reply(MALFORMED);
  const most = Math.min(Number(length), PACKET_SIZE / 2 - 16);
  const bytes = stub.isPhysical
    ? physicalMemory(subject.view(), selected(stub, subject), Number(address), most)
    : subject.readMemory(selected(stub, subject), address, most);
  return reply(bytes === undefined || (bytes.length === 0 && most > 0) ? UNMAPPED : hexOf(bytes));
}

function physicalMemory(seen: GuestView, vcpu: number, gpa: number, length: number): Uint8Array | undefined {
  const bytes = readPhysical(seen, gpa, length);
  return bytes.length > 0 ? bytes : peekDevice(seen, vcpu, gpa, length)?.bytes;
}

/** The vCPU whose page tables addresses go through; undefined: they are physical. */
const memoryOf = (stub: StubState, subject: StubSubject): number | undefined =>
  stub.isPhysical ? undefined : selected(stub, subject);

function setPhysical(stub: StubState, _subject: StubSubject, rest: string): Answer {
  if (rest !== '0' && rest !== '1') return reply(MALFORMED);
  stub.isPhysical = rest === '1';
  return reply('OK');
}

// Stops.

/**
 * gdb steps off a breakpoint where it stands by itself, with that breakpoint lifted, unless somebody put the
 * processor there. So the breakpoint at hand always counts, but where gdb does not know that it stands: somebody
 * sought the place.
 */
function countsHere({ placed, toldAt }: StubState, subject: StubSubject): boolean {
  return placed.has(subject.traveller.vcpu) || subject.moment().tick === toldAt;
}

function wantedBy(stub: StubState, subject: StubSubject): StopsWanted {
  return {
    countsHere: countsHere(stub, subject),
    breakpoints: [...stub.breakpoints.keys()],
    watchpoints: [...stub.watchpoints.values()],
    isWanted: (address, vcpu) => {
      const conditions = stub.breakpoints.get(address) ?? [];
      return conditions.length === 0 || conditions.some((code) => isMet(subject, vcpu, code));
    },
  };
}

/** A condition that cannot be told stops, so that somebody looks. */
function isMet(subject: StubSubject, vcpu: number, code: Uint8Array): boolean {
  const registers = registerView(subject.registers(vcpu), subject.moment());
  const value = evaluateAgent(code, {
    register: (number) => REGISTERS[number]?.read(registers),
    memory: (address, length) => subject.readMemory(vcpu, address, length),
  });
  return value !== 0n;
}

// Going on.

function* stepOnce(stub: StubState, subject: StubSubject, vcpu: number): Journey {
  return yield* subject.traveller.step(vcpu, wantedBy(stub, subject));
}

interface Action {
  readonly does: 'continue' | 'step';
  /** Steps go on while the instruction pointer is from the first to before the second. */
  readonly range?: readonly [bigint, bigint];
  /** Undefined: every thread that no other action names. */
  readonly vcpu: number | undefined;
}

/** `c`, `s`, `C SIG`, `S SIG` or `r START,END`, and the thread it is for. Undefined: it is none of these. */
function actionOf(subject: StubSubject, text: string): Action | undefined {
  const [, verb = '', start, end, thread] = ACTION.exec(text) ?? [];
  const vcpu = thread === undefined || thread === '-1' ? undefined : vcpuOf(subject, thread);
  if (verb === '' || (vcpu === undefined && thread !== undefined && thread !== '-1')) return undefined;
  if (start === undefined || end === undefined) return { does: /^c/i.test(verb) ? 'continue' : 'step', vcpu };
  return { does: 'step', range: [BigInt(`0x${start}`), BigInt(`0x${end}`)], vcpu };
}

const ACTION = /^(c|s|[CS][0-9a-fA-F]{2}|r([0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,16}))(?::(-1|[0-9a-fA-F]{1,16}))?$/;

/** `action[:thread];...`: the first action that names a thread steps it, or all run. */
function resumeActions(stub: StubState, subject: StubSubject, rest: string): Answer {
  const actions = rest.split(';').map((text) => actionOf(subject, text));
  if (!actions.every((action) => action !== undefined)) return reply('E01');
  const stepping = actions.find(({ does }) => does === 'step');
  if (stepping === undefined) return travels(subject.traveller.run(wantedBy(stub, subject)));
  const { range, vcpu = selected(stub, subject) } = stepping;
  return travels(
    range === undefined ? stepOnce(stub, subject, vcpu) : stepRange(stub, subject, vcpu, range[0], range[1]),
  );
}

/** Steps while the instruction pointer stays within a range. */
function* stepRange(stub: StubState, subject: StubSubject, vcpu: number, start: bigint, end: bigint): Journey {
  for (let count = 0; ; count += 1) {
    const stop = yield* stepOnce(stub, subject, vcpu);
    stand(stub, subject, stop);
    const pc = linearRipOf(subject.registers(vcpu));
    if (stop.why !== 'step' || pc < start || pc >= end) return stop;
    if (stub.breakpoints.has(pc) && wantedBy(stub, subject).isWanted(pc, vcpu)) return { why: 'break', vcpu };
    if (count % 256 === 255) yield;
  }
}

/** A journey is over: where gdb now stands, and that it has selected nothing. */
export function arriveWith(stub: StubState, subject: StubSubject, stop: Arrived, signal?: string): string {
  stand(stub, subject, stop);
  stub.general = stop.vcpu;
  stub.resumed = -1;
  return stopReply(subject, stop, signal);
}

function stand(stub: StubState, subject: StubSubject, stop: Arrived): void {
  stub.stopped.last = stop;
  stub.placed.clear();
  stub.toldAt = subject.moment().tick;
}

const WATCH_REASONS: Readonly<Record<Watchpoint['on'], string>> = { write: 'watch', read: 'rwatch', access: 'awatch' };

function reasonOf({ why, watchpoint }: Arrived): string {
  switch (why) {
    case 'break':
      return 'swbreak:;';
    case 'watch':
      return watchpoint === undefined ? '' : `${WATCH_REASONS[watchpoint.on]}:${watchpoint.address.toString(16)};`;
    case 'begin':
    case 'end':
      return `replaylog:${why};`;
    case 'step':
      return '';
    default:
      return unreachable(why);
  }
}

/** `T05` with the registers gdb asks for first. `signal` 02: interrupted. */
function stopReply(subject: StubSubject, stop: Arrived, signal = '05'): string {
  const registers = registerView(subject.registers(stop.vcpu), subject.moment());
  const expedited = [RBP, RSP, RIP].map(
    (number) => `${hexOf(Uint8Array.of(number))}:${registerHex(registers, number)};`,
  );
  return `T${signal}thread:${(stop.vcpu + 1).toString(16)};${expedited.join('')}${reasonOf(stop)}`;
}

function monitorCommand(stub: StubState, subject: StubSubject, rest: string): Answer {
  const bytes = bytesOf(rest);
  if (bytes === undefined) return reply(MALFORMED);
  const sentences = describeMonitor(subject, selected(stub, subject), new TextDecoder().decode(bytes));
  return { kind: 'sentences', sentences };
}

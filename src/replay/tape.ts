import type { Stamped } from '../events/stamped.ts';
import type { EventKind, EventOf, MachineEvent } from '../events/vocabulary.ts';
import { EXIT_REASON } from '../x86/controls.ts';
import { EXIT } from '../x86/exit-reasons.ts';
import type { Emulated, GuestStop, MemoryOfGuest, Registers, TaskSwitched } from '../x86/guest.ts';
import type { Engine, GuestTime } from '../machine/parts.ts';
import type { PacketBytes } from '../vmm/host.ts';
import { unpackWrites } from '../kvm/io/packed-writes.ts';
import { BLANK_STOP, exitOf, exitStop } from './tape-stops.ts';

/** What the processor said, in the order it said it. */
const ANSWERS: ReadonlySet<EventKind> = new Set<EventKind>([
  'sim:random_drawn',
  'sim:guest_pt_write',
  'kvm_exit',
  'sim:register_read',
  'sim:segment_read',
  'sim:xsave_read',
  'sim:emulated',
  'sim:emulation_exited',
  'sim:task_switched',
  'sim:memory_read',
  'sim:translated',
  'sim:position_read',
]);

/** Exits the hypervisor makes of a budget that ended: host interrupt, own timer. */
const MADE_OF_A_STOP: ReadonlySet<number> = new Set([EXIT.EXTERNAL_INTERRUPT, EXIT.PREEMPTION_TIMER]);

/** A place in the answers. */
interface Tape {
  readonly recorded: readonly Stamped[];
  readonly told: () => number;
  at: number;
  /** Ticks of the answer at hand that have been run already, because a caller stopped in the middle. */
  played: number;
  /**
   * A run ended just where the recorded one did. Asked to run for no tick at all, it was cut there and ends now;
   * asked for anything else, it had ended.
   */
  atStop: boolean;
  /** What was read of memory together: which fact tells it, and how far it has been read. */
  readonly gathered: { at: number; bytes: Uint8Array; read: number };
  /** Index of the packet that was sent last. */
  packet: number;
  /** By vCPU: where it stands, as far as the answers tell. */
  readonly positions: Standing[];
}

interface Standing {
  rip: bigint;
  rflags: number;
  interruptibility: number;
  cr8: number;
}

function standingOf({ positions }: Tape, vcpu: number): Standing {
  positions[vcpu] ??= { rip: 0n, rflags: 2, interruptibility: 0, cr8: 0 };
  return positions[vcpu];
}

function stand(tape: Tape, vcpu: number, { rip, rflags, interruptibility }: Omit<Standing, 'cr8'>): void {
  Object.assign(standingOf(tape, vcpu), { rip, rflags, interruptibility });
}

/** Where a run left the guest, CR8 among it: the guest writes that without an exit. */
function standAfter(tape: Tape, vcpu: number, answer: EventOf<'kvm_exit'>): void {
  stand(tape, vcpu, { ...answer, rip: answer.guest_rip });
  standingOf(tape, vcpu).cr8 = answer.cr8;
}

function leaveStop(tape: Tape): void {
  if (!tape.atStop) return;
  tape.atStop = false;
  tape.at += 1;
  tape.played = 0;
}

/** The next answer, without taking it. */
function peek(tape: Tape): MachineEvent | undefined {
  for (; tape.at < tape.recorded.length; tape.at += 1) {
    const { event } = tape.recorded[tape.at]!;
    if (ANSWERS.has(event.kind)) return event;
  }
  return undefined;
}

function take<K extends EventKind>(tape: Tape, kind: K, what: string): EventOf<K> {
  leaveStop(tape);
  const event = peek(tape);
  if (event === undefined) throw new TapeEnded();
  if (event.kind !== kind) throw new TapeMismatch(tape.at, what);
  tape.at += 1;
  return event as EventOf<K>;
}

const nothingGathered = (): Tape['gathered'] => ({ at: -1, bytes: new Uint8Array(0), read: 0 });

/** The next bytes of those that were read together. The fact that tells them comes behind the last of these reads. */
function takeGathered(tape: Tape, length: number): Uint8Array {
  const { gathered } = tape;
  if (length > 0 && gathered.read === gathered.bytes.length) findGathered(tape);
  const end = gathered.read + length;
  if (end > gathered.bytes.length) throw new TapeMismatch(gathered.at, 'guest memory');
  const bytes = gathered.bytes.slice(gathered.read, end);
  gathered.read = end;
  return bytes;
}

/** It may lie before the next answer, when somebody has had a look at that already. */
function findGathered({ recorded, gathered, at: answer, atStop }: Tape): void {
  // Where a run was cut, threads act beside it before it ends.
  const nextExit = answer + (atStop ? 1 : 0);
  for (let at = gathered.at + 1; at < recorded.length; at += 1) {
    const { event } = recorded[at]!;
    // The guest ran on: nothing was read before.
    if (event.kind === 'kvm_exit' && at >= nextExit) throw new TapeMismatch(at, 'guest memory');
    if (event.kind !== 'sim:dma_gathered') continue;
    Object.assign(gathered, { at, bytes: event.bytes, read: 0 });
    return;
  }
  throw new TapeEnded();
}

/** What the next packet holds: whoever sends it read zeroes. */
function takePacket(tape: Tape): PacketBytes {
  for (let at = tape.packet + 1; at < tape.recorded.length; at += 1) {
    const { event } = tape.recorded[at]!;
    if (event.kind !== 'sim:packet_sent') continue;
    tape.packet = at;
    return event;
  }
  throw new TapeEnded();
}

/** The hypervisor asked for something else than the processor answered next in the trace. */
export class TapeMismatch extends Error {
  /** Index of the recorded answer. */
  readonly at: number;
  readonly asked: string;

  constructor(at: number, asked: string) {
    super(`The processor was asked for ${asked} and answered something else in the trace.`);
    this.name = 'TapeMismatch';
    this.at = at;
    this.asked = asked;
  }
}

/** The recorded answers are used up: where a trace was cut. */
export class TapeEnded extends Error {
  constructor() {
    super('The trace holds no more of the processor’s answers.');
    this.name = 'TapeEnded';
  }
}

/**
 * A processor that runs nothing: it answers what was recorded. With it the machine's loop runs the hypervisor and the
 * devices again; guest memory and registers stay unknown. told: how many of the recorded events have been raised again.
 */
export function tapeEngine(
  recorded: readonly Stamped[],
  time: GuestTime,
  told = (): number => 0,
  eptWords = 1 << 20,
): Engine {
  const tape: Tape = {
    recorded,
    told,
    at: 0,
    played: 0,
    atStop: false,
    gathered: nothingGathered(),
    packet: -1,
    positions: [],
  };
  const words = new Uint32Array(eptWords);
  const views: Registers[] = [];
  let vcpus = 0;
  return {
    regions: [],
    registers(vcpu) {
      views[vcpu] ??= tapeRegisters(tape, vcpu);
      return views[vcpu];
    },
    addVcpu: () => vcpus++,
    resetVcpu: () => undefined,
    setControls: () => undefined,
    run(vcpu, budget) {
      if (budget > 0) leaveStop(tape);
      playAsides(tape, time, budget);
      return playRun(tape, vcpu, budget);
    },
    emulate(vcpu, _reads, memory) {
      writeAgain(tape, memory);
      const emulated = take(tape, 'sim:emulated', 'the emulation of an instruction');
      stand(tape, vcpu, emulated);
      return emulatedFrom(tape, emulated);
    },
    taskSwitch(vcpu, _task, memory) {
      writeAgain(tape, memory);
      const switched = take(tape, 'sim:task_switched', 'a task switch');
      stand(tape, vcpu, switched);
      const { outcome, vector, error_code: errorCode, address } = switched;
      return { then: outcome as TaskSwitched['then'], vector, errorCode, address };
    },
    setGpr: () => undefined,
    setRip: () => undefined,
    skipInstruction: () => undefined,
    readHost: () => take(tape, 'sim:memory_read', 'guest memory').bytes,
    readPayload: (_hva, length) => new Uint8Array(length),
    packet: () => takePacket(tape),
    readGathered: (_hva, length) => takeGathered(tape, length),
    writeHost: () => undefined,
    eptWords: words,
    invalidateEpt: () => undefined,
    translate() {
      const { mapped, gpa, entries } = take(tape, 'sim:translated', 'a translation');
      return mapped ? { gpa, entries: [...new BigUint64Array(entries.slice().buffer)] } : undefined;
    },
  };
}

/** What is emulated wrote to pages that are logged: KVM hears of it in between, before what it came to. */
function writeAgain({ recorded, told }: Tape, memory: MemoryOfGuest): void {
  for (;;) {
    const next = told();
    const at = recorded[next]?.event.kind === 'sim:digest' ? next + 1 : next;
    const event = recorded[at]?.event;
    if (event?.kind !== 'sim:page_dirty') return;
    memory(event.gfn * PAGE, true);
    if (told() <= at) return;
  }
}

const PAGE = 4096;

/** What the guest told or asked in the middle of a run, as far as this part of it goes. */
function playAsides(tape: Tape, time: GuestTime, budget: number): void {
  for (;;) {
    const event = peek(tape);
    const ticks = (tape.recorded[tape.at]?.tick ?? 0) - time.ticks();
    if (event?.kind === 'sim:random_drawn') {
      if (ticks >= budget) return;
      time.random(ticks);
    } else if (event?.kind === 'sim:guest_pt_write') {
      if (ticks > budget) return;
      time.tableWritten({ vcpu: event.vcpu_id, ticks, gpa: event.gpa, old: event.old, new: event.new });
    } else return;
    tape.at += 1;
  }
}

/** What is raised in the middle of a run. */
const ASIDES: ReadonlySet<string> = new Set(['sim:random_drawn', 'sim:guest_pt_write']);

function playRun(tape: Tape, vcpu: number, budget: number): GuestStop {
  const answer = peek(tape);
  if (answer === undefined) throw new TapeEnded();
  // The run was cut before the instruction that tells or asks next.
  if (ASIDES.has(answer.kind)) return playQuiet(tape, budget);
  if (answer.kind !== 'kvm_exit') throw new TapeMismatch(tape.at, 'a VM exit');
  const left = answer.ticks - tape.played;
  const isStop = MADE_OF_A_STOP.has(answer.exit_reason & EXIT_REASON.BASIC);
  if (left > budget || (left === budget && !isStop && !isNextTold(tape))) return playQuiet(tape, budget);
  standAfter(tape, vcpu, answer);
  if (!isStop) {
    tape.at += 1;
    tape.played = 0;
    return exitStop(answer, left);
  }
  if (budget === 0 && tape.atStop) leaveStop(tape);
  else {
    tape.atStop = true;
    tape.played = answer.ticks;
  }
  const { guest_rip: rip, rflags, interruptibility, cr8 } = answer;
  return { ...BLANK_STOP, ticks: left, rip, rflags, interruptibility, cr8 };
}

/**
 * Whether a run that is cut at its exit's tick comes to it: a window that opens is an exit still, an instruction that
 * would exit is not executed any more, and somebody else acts before it.
 */
function isNextTold({ recorded, at, told }: Tape): boolean {
  let next = told();
  while (recorded[next]?.event.kind === 'sim:digest') next += 1;
  return next === at;
}

/** Nothing but instructions, up to where the run is cut. */
function playQuiet(tape: Tape, budget: number): GuestStop {
  tape.played += budget;
  return { ...BLANK_STOP, ticks: budget };
}

function emulatedFrom(tape: Tape, { then, at, size, count, bytes, breakpoints }: EventOf<'sim:emulated'>): Emulated {
  switch (then) {
    case 'done':
      return { then, writes: unpackWrites(bytes), breakpoints };
    case 'read':
      return { then, gpa: at, length: size };
    case 'in':
      return { then, port: at, size, count };
    case 'out':
      return { then, port: at, size, bytes, breakpoints };
    case 'exit':
      return { then, exit: exitOf(take(tape, 'sim:emulation_exited', 'the exit of an emulation')) };
    default:
      return { then: 'failed' };
  }
}

/** Registers that answer what was read; what is written is not kept, but where the vCPU stands. */
function tapeRegisters(tape: Tape, vcpu: number): Registers {
  const word = (name: string): bigint => {
    const answer = take(tape, 'sim:register_read', `register ${name}`);
    if (answer.name === name) return answer.value;
    throw new TapeMismatch(tape.at - 1, `register ${name}`);
  };
  const isNext = (name: string): boolean => {
    leaveStop(tape);
    const event = peek(tape);
    return event?.kind === 'sim:register_read' && event.name === name;
  };
  const view: Registers = Object.create(null);
  Object.assign(view, {
    gpr: (index: number) => word(`gpr${index}`),
    setGpr: () => undefined,
    segment() {
      const { selector, base, limit, access } = take(tape, 'sim:segment_read', 'a segment');
      return { selector, base, limit, access };
    },
    setSegment: () => undefined,
    dr: (index: number) => word(`dr${index}`),
    setDr: () => undefined,
    // The processor does not say which MSRs it does not keep: no answer is that answer.
    msr: (index: number) => (isNext(`msr${index.toString(16)}`) ? word(`msr${index.toString(16)}`) : undefined),
    setMsr: (index: number) => word(`set msr${index.toString(16)}`) === 1n,
    xsave: () => take(tape, 'sim:xsave_read', 'the XSAVE area').area,
    setXsave: () => undefined,
  } satisfies Partial<Registers>);
  for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'efer', 'xcr0'] as const) {
    Object.defineProperty(view, name, { get: () => word(name), set: () => undefined });
  }
  Object.defineProperty(view, 'activity', { get: () => Number(word('activity')), set: () => undefined });
  definePosition(tape, vcpu, view);
  for (const name of ['gdtr', 'idtr'] as const) {
    const get = () => ({ base: word(`${name}.base`), limit: Number(word(`${name}.limit`)) });
    Object.defineProperty(view, name, { get, set: () => undefined });
  }
  return view;
}

/** Where a vCPU stands: told by the answer at hand when somebody looks, or known since the last. */
function definePosition(tape: Tape, vcpu: number, view: Registers): void {
  const standing = standingOf(tape, vcpu);
  const look = (): Standing => {
    leaveStop(tape);
    const answer = peek(tape);
    if (answer?.kind !== 'sim:position_read' || answer.vcpu_id !== vcpu) return standing;
    tape.at += 1;
    stand(tape, vcpu, answer);
    standing.cr8 = answer.cr8;
    return standing;
  };
  Object.defineProperties(view, {
    rip: { get: () => look().rip, set: (value: bigint) => void (standing.rip = value) },
    rflags: {
      get: () => BigInt(standing.rflags),
      set: (value: bigint) => void (standing.rflags = Number(value & 0xffff_ffffn)),
    },
    interruptibility: {
      get: () => standing.interruptibility,
      set: (value: number) => void (standing.interruptibility = value),
    },
    cr8: { get: () => standing.cr8, set: (value: number) => void (standing.cr8 = value) },
  });
}

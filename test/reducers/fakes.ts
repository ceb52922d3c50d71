import type { Stamped } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { NO_EXIT, type Guest, type GuestStop, } from '../../src/kvm/guest.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import type {
  Chance,
  Engine,
  GuestTime,
  InputSource,
  KvmPart,
  MachineParts,
  PendingInput,
  VmmPart,
} from '../../src/machine/parts.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { recordedInputs } from '../../src/replay/verify.ts';

const OUT_EVERY = 97;
const HALT_EVERY = 1009;
const PAGES = 16;

/**
 * A guest of one word per vCPU, its count: each tick adds one and writes a byte of memory; every 97th writes a port,
 * every 1009th halts. What it writes depends on the TSC, so that a wrong time shows.
 */
export function fakeEngine(time: GuestTime): Engine {
  const memory = new Uint8Array(PAGES * 4096);
  const blocks = new Uint8Array(64);
  const counts = new Float64Array(blocks.buffer);
  let dirty = new Set<number>();
  const missing = (): never => {
    throw new Error('not part of the fake');
  };
  const run = (vcpu: number, budget: number): GuestStop => {
    let ticks = 0;
    let why: GuestStop['why'] = 'budget';
    let exit = NO_EXIT;
    const tsc = time.hostTsc();
    while (ticks < budget) {
      const next = counts[vcpu] + 1;
      if (next % OUT_EVERY === 0 || next % HALT_EVERY === 0) {
        why = 'exit';
        exit = {
          ...NO_EXIT,
          reason: next % OUT_EVERY === 0 ? 30 : 12,
          qualification: 0x3f80000n,
          instructionLength: 1,
        };
        break;
      }
      counts[vcpu] = next;
      ticks += 1;
      const at = (next * 41) % memory.length;
      memory[at] += Number((tsc + BigInt(ticks * time.tscPerTick)) & 0xffn);
      dirty.add(at >> 12);
    }
    const a0 = why === 'exit' ? BigInt(memory[counts[vcpu] % 4096]) : 0n;
    return {
      why,
      exit,
      ticks,
      rip: BigInt(counts[vcpu]),
      rflags: 2,
      interruptibility: 0,
      cr8: 0,
      a0,
      a1: 0n,
      a2: 0n,
      a3: 0n,
      a4: 0n,
      a5: 0n,
    };
  };
  return {
    registers: missing,
    addVcpu: () => 0,
    resetVcpu: missing,
    setControls: missing,
    run,
    emulate: missing,
    taskSwitch: missing,
    setGpr: missing,
    setRip: missing,
    skipInstruction(vcpu) {
      counts[vcpu] += 1;
    },
    readHost: (hva, length) => memory.slice(hva, hva + length),
    writeHost(hva, bytes) {
      memory.set(bytes, hva);
      dirty.add(hva >> 12);
    },
    eptWords: new Uint32Array(0),
    invalidateEpt: missing,
    translate: missing,
    regions: [
      {
        name: 'ram',
        bytes: () => memory,
        takeDirty() {
          const pages = [...dirty];
          dirty = new Set();
          return pages;
        },
        restored: () => undefined,
      },
      { name: 'registers', bytes: () => blocks, takeDirty: () => undefined, restored: () => undefined },
    ],
  };
}

interface FakeKvmState {
  timer: number;
  fired: number;
  halted: boolean[];
  inGuest: boolean[];
  irq: boolean;
  seen: number;
}

const PERIOD_NS = 50_000;

export interface FakeHost {
  now(): number;
  raise(event: MachineEvent): void;
}

/** KVM with one periodic timer that wakes everybody. */
export function fakeKvm(guest: Guest, host: FakeHost, vcpus: number): KvmPart {
  const kvm = {
    state: {
      timer: PERIOD_NS,
      fired: 0,
      halted: new Array(vcpus).fill(false),
      inGuest: new Array(vcpus).fill(false),
      irq: false,
      seen: 0,
    } as FakeKvmState,
    open: () => 0,
    ioctl(_fd: number, request: number) {
      if (request === 1) {
        kvm.state.irq = true;
        kvm.state.halted.fill(false);
      }
      return 0;
    },
    run: () => {
      throw new Error('not part of the fake');
    },
    eventfd: () => 0,
    signal: () => undefined,
    isRunnable: (vcpu: number) => !kvm.state.halted[vcpu],
    deadline: () => kvm.state.timer,
    expire() {
      host.raise({ kind: 'sim:timer_fire', id: 'fake', deadline: kvm.state.timer });
      kvm.state.timer += PERIOD_NS;
      kvm.state.fired += 1;
      kvm.state.halted.fill(false);
    },
    advance(vcpu: number, budget: number) {
      const { state } = kvm;
      if (!state.inGuest[vcpu]) {
        host.raise({
          kind: 'kvm_entry',
          vcpu_id: vcpu,
          rip: 0n,
          immediate_exit: false,
          intr_info: state.irq ? 1 : 0,
          error_code: 0,
        });
        state.irq = false;
      }
      const stop = guest.run(vcpu, budget, { info: 0, errorCode: 0, length: 0 });
      state.inGuest[vcpu] = stop.why === 'break';
      if (stop.why === 'break') return 'entered';
      const reason = stop.why === 'budget' ? 1 : stop.exit.reason;
      host.raise(exitEvent(vcpu, stop, reason));
      // Something only the processor knows, so that a fold has to have it recorded.
      if (reason === 30) state.seen = Number(guest.readHost(stop.ticks % 4096, 1)[0] ?? 0);
      if (reason === 1) return 'entered';
      guest.skipInstruction(vcpu, 1);
      if (reason === 30) return 'userspace';
      state.halted[vcpu] = true;
      return 'blocked';
    },
  };
  return kvm as unknown as KvmPart;
}

function exitEvent(vcpu: number, stop: GuestStop, reason: number): MachineEvent {
  const { exit, ticks, rip, rflags, interruptibility, cr8, a0, a1, a2, a3, a4, a5 } = stop;
  return {
    kind: 'kvm_exit',
    exit_reason: reason,
    guest_rip: rip,
    isa: 1,
    info1: exit.qualification,
    info2: 0,
    intr_info: 0,
    error_code: 0,
    vcpu_id: vcpu,
    requests: 0,
    ticks,
    rflags,
    interruptibility,
    cr8,
    insn_len: exit.instructionLength,
    insn_info: 0,
    idt_error_code: 0,
    gla: 0n,
    gpa: 0,
    a0,
    a1,
    a2,
    a3,
    a4,
    a5,
  };
}

/** User space that counts what it was asked and ends the run at a byte of 0x1b. */
export function fakeVmm(kvm: KvmPart, host: { raise(event: MachineEvent): void; ask(request: never): void }): VmmPart {
  const vmm = {
    state: { served: 0, typed: [] as number[] } as { served: number; typed: number[] },
    service(vcpu: number) {
      vmm.state.served += 1;
      host.raise({ kind: 'kvm_run_exit', cpu_index: vcpu, reason: 2 });
    },
    deadline: () => undefined,
    expire: () => undefined,
    receiveSerial(_line: number, bytes: Uint8Array) {
      vmm.state.typed.push(...bytes);
      kvm.ioctl(0, 1);
      if (bytes.includes(0x1b)) host.ask({ ask: 'power-off' } as never);
    },
    requestReset: () => undefined,
    restore(state: object) {
      vmm.state = state as typeof vmm.state;
    },
  };
  return vmm;
}

/** Inputs in a list that tests push to. */
export function inputQueue(pending: PendingInput[] = []): InputSource & { push(input: PendingInput): void } {
  return { peek: () => pending[0], take: () => void pending.shift(), push: (input) => void pending.push(input) };
}

export interface FakeRun {
  readonly machine: Machine;
  readonly events: Stamped[];
}

export interface FakeOptions {
  readonly vcpus?: number;
  readonly seed?: string;
  readonly inputs?: InputSource;
  readonly chance?: Chance;
  readonly digestEvery?: number;
  readonly engine?: MachineParts['engine'];
  readonly onEvent?: (stamped: Stamped) => void;
}

/** Options that make a machine run a recorded run again. */
export const againOptions = (events: readonly Stamped[], verifier: { check(stamped: Stamped): void }): FakeOptions => ({
  inputs: recordedInputs(events),
  onEvent: verifier.check,
});

/** A machine of fakes and everything it raises. */
export function fakeMachine(options: FakeOptions = {}): FakeRun {
  const events: Stamped[] = [];
  const vcpus = options.vcpus ?? 1;
  const machine = createMachine({
    engine: options.engine ?? fakeEngine,
    kvm: (guest, host) => fakeKvm(guest, host, vcpus),
    vmm: (kvm, host) => fakeVmm(kvm as KvmPart, host as never),
    chance: CHANCE,
    inputs: options.inputs ?? inputQueue(),
    seed: options.seed ?? '1',
    wallClockAtPowerOn: 0n,
    vcpus,
    digestEvery: options.digestEvery ?? 20_000,
    onEvent(stamped) {
      events.push(stamped);
      options.onEvent?.(stamped);
    },
    onRequest: () => undefined,
  });
  return { machine, events };
}

/** Bytes typed at COM1. */
export const typed = (text: string, when: Omit<PendingInput, 'event'> = {}): PendingInput => ({
  ...when,
  event: { kind: 'sim:serial_received', line: 0, bytes: new TextEncoder().encode(text) },
});

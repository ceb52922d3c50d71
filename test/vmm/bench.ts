import type { Origin } from '../../src/events/origin.ts';
import { MAIN_LOOP, vcpuSource, vhostSource } from '../../src/events/stamped.ts';
import { type MachineEvent, receivingPart } from '../../src/events/vocabulary.ts';
import type { Kvm, KvmRun, KvmRunAnswer } from '../../src/kvm/api.ts';
import type { Guest } from '../../src/x86/guest.ts';
import {
  type CpuidTable,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_GET_CPUID2,
  KVM_GET_PIT2,
  KVM_GET_SUPPORTED_CPUID,
  KVM_RUN,
  KVM_SET_REGS,
  KVM_SET_SREGS2,
  KVM_SIGNAL_MSI,
  type Msi,
  type Regs,
  type Sregs,
} from '../../src/kvm/ioctl/ioctls.ts';
import type { MachineState } from '../../src/reducers/state.ts';
import { createMachinePc, type MachineConfig, type MachineOptions, type Vmm } from '../../src/vmm/index.ts';
import type { VhostWork } from '../../src/vmm/vhost/worker.ts';
import { pcOn } from '../machine/pc.ts';

/** A machine on a recorded KVM that runs no guest: tests play the guest by making exits. */
export interface Bench {
  readonly vmm: Vmm;
  readonly state: MachineState;
  readonly events: MachineEvent[];
  readonly ioctls: { readonly request: number; readonly arg: unknown }[];
  /** Eventfds that were signalled, in order. */
  readonly signals: number[];
  /** Messages that KVM was to raise as interrupts, in order. */
  readonly messages: { readonly address: number; readonly data: number }[];
  readonly regs: Regs | undefined;
  readonly sregs: Sregs | undefined;
  out(port: number, size: number, value: number): void;
  in(port: number, size: number): number;
  read(gpa: number, length: number): Uint8Array;
  store(gpa: number, bytes: Uint8Array): void;
  /** A person presses the button. */
  wake(): void;
  reset(): void;
  /** A person gives a drive another size. */
  resize(drive: string, sectors: number): void;
  /** A packet of a net client has been on its way, and arrives at its peer. */
  sendPacket(client: string, bytes: Uint8Array, header?: Uint8Array): void;
  /** A frame comes from outside to a backend, by its part. */
  frame(dev: string, bytes: Uint8Array): void;
  /** The main loop reads a tap. Returns how many packets there were. */
  readTap(client: string): number;
  /** The kernel's first vhost worker does a piece of work to its end. Returns what each step came to. */
  serve(work: VhostWork): string[];
  /** A person plugs the cable of a net client, or pulls it. */
  setLink(client: string, up: boolean): void;
  /** An input comes from outside for a device. */
  hear(input: MachineEvent): void;
  /** A person has cards announced so often. */
  announce(rounds: number, interfaces?: string): void;
  /** It is measured for a second which pages are written. */
  measure(): void;
  /** Virtual time goes on to `ns`, and what is due by then happens. */
  passTo(ns: number): void;
  /** The same in steps: each thing happens when it is due. */
  liveTo(ns: number): void;
  /** Its thread finds an eventfd signalled. */
  handle(fd: number): void;
  /** KVM_RUN comes back with this; what the next one is told. */
  exit(change: Partial<KvmRun>): KvmRunAnswer;
}

/** The least a machine needs, for tests to change. */
export const LEAST: MachineOptions = {
  machine: 'pc',
  memory: 64,
  smp: 1,
  devices: [],
  serialLines: 1,
  noDefaults: true,
  bios: { name: 'bios.bin', bytes: new Uint8Array(0x40000).fill(0xb1) },
};

const EINTR = 4;
const ROM_BYTES = 8 << 20;

/** What a recorded KVM was told last. */
interface Told {
  run: KvmRun;
  regs?: Regs;
  sregs?: Sregs;
  answer?: KvmRunAnswer;
}

/** Build a machine with `change` applied to the least one. */
export function bench(
  change: Partial<MachineOptions> & Pick<MachineConfig, 'drives' | 'netdevs' | 'bridges'> = {},
): Bench {
  const { drives, netdevs, bridges, ...changed } = change;
  const options = { ...LEAST, ...changed };
  const events: MachineEvent[] = [];
  const signals: number[] = [];
  const messages: Bench['messages'] = [];
  const ioctls: { request: number; arg: unknown }[] = [];
  const told: Told = { run: idleRun() };
  const kvm = recordedKvm({ ioctls, signals, messages, told });
  let powerOn: Origin | undefined;
  const machine = pcOn(options, {
    ...(drives === undefined ? {} : { drives }),
    ...(netdevs === undefined ? {} : { netdevs }),
    ...(bridges === undefined ? {} : { bridges }),
    engine: () => memoryAlone(options.memory * 2 ** 20 + ROM_BYTES),
    kvm: () => ({
      calledBy: () => kvm,
      advance: () => 'userspace',
      isRunnable: () => true,
      isWakeable: () => true,
      peek: () => undefined,
      expire: () => false,
      restored: () => undefined,
    }),
    vmm: (kernel, host, origin) => {
      powerOn = origin;
      return createMachinePc(kernel, options, host, origin);
    },
    onEvent: ({ event }) => void events.push(event),
  });
  const origin = powerOn as unknown as Origin;
  const vcpu = origin.by(vcpuSource(0));
  const exit = (values: Partial<KvmRun>): KvmRunAnswer => {
    told.run = { ...told.run, ...values };
    told.answer = {};
    machine.vmm.service(0, vcpu);
    return told.answer;
  };
  return {
    vmm: machine.vmm,
    get state() {
      return machine.state;
    },
    events,
    ioctls,
    signals,
    messages,
    get regs() {
      return told.regs;
    },
    get sregs() {
      return told.sregs;
    },
    out: (port, size, value) => {
      const data = new Uint8Array(8);
      new DataView(data.buffer).setBigUint64(0, BigInt(value), true);
      exit({ exitReason: 2, io: { direction: 1, size, port, count: 1, data: [...data.subarray(0, size)] } });
    },
    in: (port, size) => {
      const data = new Uint8Array(8);
      const { data: given } = exit({ exitReason: 2, io: { direction: 0, size, port, count: 1, data: zeros(size) } });
      data.set(given!);
      return Number(new DataView(data.buffer).getBigUint64(0, true));
    },
    read: (gpa, length) =>
      exit({ exitReason: 6, mmio: { physAddr: gpa, data: zeros(length), length, isWrite: false } }).data!,
    store: (gpa, data) =>
      void exit({ exitReason: 6, mmio: { physAddr: gpa, data: [...data], length: data.length, isWrite: true } }),
    wake: () => machine.vmm.wakeUp(vcpu),
    reset: () => machine.vmm.pressReset(vcpu),
    resize: (drive, sectors) => machine.vmm.resizeDrive(drive, sectors, vcpu),
    sendPacket(client, bytes, header = new Uint8Array(0)) {
      const from = origin.by(MAIN_LOOP);
      const due = machine.now() + 1;
      from.raise({
        kind: 'sim:packet_sent',
        client,
        packet: machine.state.vmm.net!.packets,
        bytes,
        due,
        header,
      });
    },
    frame(dev, bytes) {
      const input = { kind: 'sim:frame_received', dev, bytes } as const;
      origin.raise(input);
      machine.vmm.receive(dev, input, origin);
    },
    readTap: (client) => machine.vmm.read(client, origin),
    serve(work) {
      const ends: string[] = [];
      const from = origin.by(vhostSource(0));
      do {
        const ran = machine.vmm.serveVhost(work, from);
        from.raise({ kind: 'sim:vhost_ran', ...ran, thread: vhostSource(0), until: machine.now() });
        ends.push(ran.end);
      } while (ends.at(-1) === 'more');
      return ends;
    },
    setLink(client, up) {
      origin.raise({ kind: 'sim:link_set', client, up });
      machine.vmm.setLink(client, up, origin);
    },
    hear(input) {
      const seq = origin.raise(input);
      machine.vmm.receive(receivingPart(input)!, input, origin.by(MAIN_LOOP).inside(seq));
    },
    announce(rounds, interfaces = '') {
      const asked = { interfaces, id: '', initial: 50, max: 550, rounds, step: 100 };
      const seq = origin.raise({ kind: 'sim:announce_asked', ...asked });
      machine.vmm.announce('', origin.after(seq));
    },
    measure() {
      const seq = origin.raise({ kind: 'sim:dirty_rate_asked', seconds: 1 });
      machine.vmm.measureDirtyRate(origin.inside(seq));
    },
    passTo(ns) {
      origin.raise({ kind: 'sim:idle_warped', from: machine.now(), to: ns });
      machine.vmm.expire(origin);
    },
    liveTo(ns) {
      for (;;) {
        const { net, timers } = machine.state.vmm;
        const deadlines = Object.values(timers).map(({ deadline }) => deadline);
        const next = Math.min(ns, net?.underway[0]?.due ?? ns, ...deadlines);
        if (next > machine.now()) origin.raise({ kind: 'sim:idle_warped', from: machine.now(), to: next });
        if (!machine.vmm.expire(origin) && next >= ns) return;
      }
    },
    handle: (fd) => void machine.vmm.handle(fd, origin),
    exit,
  };
}

const zeros = (length: number): number[] => new Array<number>(length).fill(0);

/** What a recorded KVM keeps. */
interface Recording extends Pick<Bench, 'signals' | 'messages'> {
  readonly ioctls: { request: number; arg: unknown }[];
  readonly told: Told;
}

function recordedKvm({ ioctls, signals, messages, told }: Recording): Kvm {
  let next = 3;
  const read = new Map<number, number>();
  const countOf = (fd: number): number => signals.filter((each) => each === fd).length - (read.get(fd) ?? 0);
  return {
    open: () => next++,
    ioctl: (_fd: number, request: number, arg?: unknown) => {
      ioctls.push({ request, arg });
      if (request === KVM_CREATE_VM || request === KVM_CREATE_VCPU) return next++;
      if (request === KVM_GET_PIT2) (arg as { channels: object[] }).channels = [{}, {}, {}];
      if (request === KVM_SET_REGS) told.regs = arg as Regs;
      if (request === KVM_SET_SREGS2) told.sregs = arg as Sregs;
      if (request === KVM_SIGNAL_MSI) messages.push({ address: (arg as Msi).addressLow, data: (arg as Msi).data });
      if (request === KVM_RUN) return runAgain(told, arg as KvmRunAnswer);
      if (request === KVM_GET_SUPPORTED_CPUID || request === KVM_GET_CPUID2) {
        const zero = { index: 0, flags: 0, ebx: 0, ecx: 0, edx: 0 };
        (arg as CpuidTable).entries = [
          { function: 1, eax: 0x663, ...zero },
          { function: 0xb, eax: 0, ...zero },
        ];
      }
      return 0;
    },
    run: () => told.run,
    coalescedRing: () => ({ first: 0, last: 0, entries: [] }),
    takeCoalesced: () => undefined,
    eventfd: () => next++,
    signal: (fd) => void signals.push(fd),
    consume(fd) {
      const count = countOf(fd);
      read.set(fd, (read.get(fd) ?? 0) + count);
      return count;
    },
  };
}

/** The answer that completes the exit; the guest itself runs nowhere. */
function runAgain(told: Told, answer: KvmRunAnswer): number {
  told.answer = { ...told.answer, ...answer };
  return answer.immediateExit === true ? -EINTR : 0;
}

/** Of a processor only what user space has: its memory. */
function memoryAlone(bytes: number) {
  const memory = new Uint8Array(bytes);
  const { readHost, writeHost }: Pick<Guest, 'readHost' | 'writeHost'> = {
    readHost: (hva, length) => memory.slice(hva, hva + length),
    writeHost: (hva, from) => memory.set(from, hva),
  };
  return Object.assign({ readHost, writeHost } as unknown as Guest, { regions: [] });
}

function idleRun(): KvmRun {
  return {
    exitReason: 0,
    readyForInterruptInjection: false,
    ifFlag: false,
    requestInterruptWindow: false,
    cr8: 0,
    apicBase: 0,
    io: { direction: 0, size: 1, port: 0, count: 1, data: [] },
    mmio: { physAddr: 0, data: [], length: 1, isWrite: false },
    internal: { suberror: 0, data: [] },
    failEntry: { reason: 0n },
    debug: { exception: 0, pc: 0n, dr6: 0n, dr7: 0n },
    msr: { reason: 0, index: 0, data: 0n },
  };
}

import type { HostRequest } from '../../src/devices/device.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import type { Kvm, KvmRun } from '../../src/kvm/api.ts';
import {
  type CpuidTable,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_GET_CPUID2,
  KVM_GET_PIT2,
  KVM_GET_SUPPORTED_CPUID,
  KVM_SET_REGS,
  KVM_SET_SREGS2,
  type Regs,
  type Sregs,
} from '../../src/kvm/ioctls.ts';
import { createMachinePc, type MachineOptions, type Vmm, type VmmHost } from '../../src/vmm/index.ts';

/** A machine on a recorded KVM that runs no guest: tests play the guest by making exits. */
export interface Bench {
  readonly vmm: Vmm;
  readonly events: MachineEvent[];
  readonly asked: HostRequest[];
  readonly ioctls: { readonly request: number; readonly arg: unknown }[];
  readonly memory: Map<number, Uint8Array>;
  readonly regs: Regs | undefined;
  readonly sregs: Sregs | undefined;
  now: number;
  out(port: number, size: number, value: number): void;
  in(port: number, size: number): number;
  read(gpa: number, length: number): Uint8Array;
  store(gpa: number, bytes: Uint8Array): void;
  exit(change: Partial<KvmRun>): void;
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

/** Build a machine with `change` applied to the least one. */
export function bench(change: Partial<MachineOptions> = {}): Bench {
  const options = { ...LEAST, ...change };
  const run = idleRun();
  const events: MachineEvent[] = [];
  const asked: HostRequest[] = [];
  const ioctls: { request: number; arg: unknown }[] = [];
  const memory = new Map<number, Uint8Array>();
  const registers: { regs?: Regs; sregs?: Sregs } = {};
  const kvm = recordedKvm(run, ioctls, registers);
  const host = memoryHost(memory, events, asked, () => result.now);
  const result: Bench = {
    get vmm() {
      return vmm;
    },
    events,
    asked,
    ioctls,
    memory,
    get regs() {
      return registers.regs;
    },
    get sregs() {
      return registers.sregs;
    },
    now: 0,
    out: (port, size, value) => {
      const data = new Uint8Array(8);
      new DataView(data.buffer).setBigUint64(0, BigInt(value), true);
      result.exit({ exitReason: 2, io: { direction: 1, size, port, count: 1, data } });
    },
    in: (port, size) => {
      const data = new Uint8Array(8);
      result.exit({ exitReason: 2, io: { direction: 0, size, port, count: 1, data } });
      return Number(new DataView(data.buffer).getBigUint64(0, true));
    },
    read: (gpa, length) => {
      const data = new Uint8Array(length);
      result.exit({ exitReason: 6, mmio: { physAddr: gpa, data, length, isWrite: false } });
      return data;
    },
    store: (gpa, data) =>
      result.exit({ exitReason: 6, mmio: { physAddr: gpa, data, length: data.length, isWrite: true } }),
    exit: (values) => {
      Object.assign(run, values);
      vmm.service(0);
    },
  };
  const vmm = createMachinePc(kvm, options, host);
  return result;
}

function recordedKvm(
  run: KvmRun,
  ioctls: { request: number; arg: unknown }[],
  registers: { regs?: Regs; sregs?: Sregs },
): Kvm {
  let next = 3;
  return {
    open: () => next++,
    ioctl: (_fd, request, arg) => {
      ioctls.push({ request, arg });
      if (request === KVM_CREATE_VM || request === KVM_CREATE_VCPU) return next++;
      if (request === KVM_GET_PIT2) (arg as { channels: object[] }).channels = [{}, {}, {}];
      if (request === KVM_SET_REGS) registers.regs = arg as Regs;
      if (request === KVM_SET_SREGS2) registers.sregs = arg as Sregs;
      if (request === KVM_GET_SUPPORTED_CPUID || request === KVM_GET_CPUID2) {
        const zero = { index: 0, flags: 0, ebx: 0, ecx: 0, edx: 0 };
        (arg as CpuidTable).entries = [
          { function: 1, eax: 0x663, ...zero },
          { function: 0xb, eax: 0, ...zero },
        ];
      }
      return 0;
    },
    run: () => run,
    coalescedRing: () => ({ first: 0, last: 0, entries: [] }),
    eventfd: () => next++,
    signal: () => undefined,
    consume: () => 0,
    advance: () => 'userspace',
    isRunnable: () => true,
    deadline: () => undefined,
    expire: () => undefined,
  };
}

function memoryHost(
  memory: Map<number, Uint8Array>,
  events: MachineEvent[],
  asked: HostRequest[],
  now: () => number,
): VmmHost {
  let next = 0x10000;
  const rangeOf = (hva: number): [number, Uint8Array] => {
    for (const [base, bytes] of memory) if (hva >= base && hva < base + bytes.length) return [base, bytes];
    throw new Error(`no host memory at ${hva.toString(16)}`);
  };
  return {
    now,
    raise: (event) => events.push(event),
    ask: (request) => asked.push(request),
    wallClockAtPowerOn: 1_700_000_000_000_000_000n,
    memory: {
      allocate: (_name, size) => {
        const hva = next;
        memory.set(hva, new Uint8Array(size));
        next += Math.ceil(size / 0x1000) * 0x1000 + 0x10000;
        return hva;
      },
      readHost: (hva, length) => {
        const [base, bytes] = rangeOf(hva);
        return bytes.slice(hva - base, hva - base + length);
      },
      writeHost: (hva, from) => {
        const [base, bytes] = rangeOf(hva);
        bytes.set(from, hva - base);
      },
    },
  };
}

function idleRun(): KvmRun {
  return {
    exitReason: 0,
    readyForInterruptInjection: false,
    ifFlag: false,
    immediateExit: false,
    requestInterruptWindow: false,
    cr8: 0,
    apicBase: 0,
    io: { direction: 0, size: 1, port: 0, count: 1, data: new Uint8Array(8) },
    mmio: { physAddr: 0, data: new Uint8Array(8), length: 1, isWrite: false },
    internal: { suberror: 0, data: [] },
    failEntry: { reason: 0n, cpu: 0 },
    systemEvent: { type: 0 },
    debug: { exception: 0, pc: 0n, dr6: 0n, dr7: 0n },
    msr: { error: 0, reason: 0, index: 0, data: 0n },
  };
}

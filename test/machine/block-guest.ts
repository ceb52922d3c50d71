import {
  type Emulated,
  type ExecutionControls,
  type GuestStop,
  type MmioAccess,
  NO_CONTROLS,
  NO_EXIT,
  type Registers,
  type Segment,
  type TaskSwitched,
  type VmExit,
} from '../../src/x86/guest.ts';
import type { Engine, GuestTime } from '../../src/machine/parts.ts';
import { EPT_PAGE_WORDS } from '../../src/memory/ept-pool.ts';
import type { BulkRegion } from '../../src/memory/pages.ts';

/** Words of one vCPU's block. */
const SLOTS = 128;
const RIP = 16;
const RFLAGS = 17;
const SMALL = { cr8: 26, interruptibility: 27, activity: 28 } as const;
const WORDS = { rip: RIP, rflags: RFLAGS, cr0: 18, cr2: 19, cr3: 20, cr4: 21, efer: 22, xcr0: 23 } as const;
const TABLES = { gdtr: 30, idtr: 32 } as const;
const DR = 34;
const SEGMENTS = 44;
const MSRS: Readonly<Record<number, number>> = {
  0xc0000081: 80,
  0xc0000082: 81,
  0xc0000083: 82,
  0xc0000084: 83,
  0xc0000102: 84,
  0x174: 85,
  0x175: 86,
  0x176: 87,
  0xc0000103: 88,
  0x277: 89,
  0x48: 90,
  0xda0: 91,
  0xc0000100: 92,
  0xc0000101: 93,
};
/** From here on a block is the behaviour's own. */
const OWN = 100;

const RESET_RIP = 0xfff0n;
const RESET_RFLAGS = 2n;
const EPT_PAGES = 256;

/** An exit with only what matters of it, and its operands. */
export type Happening = Partial<VmExit> & { readonly a0?: bigint; readonly a1?: bigint };

/** How a run went: without an exit its budget ended. */
export interface Ran {
  readonly ticks: number;
  readonly exit?: Happening;
}

/** One vCPU as its behaviour sees it. All it remembers is in here, so that it is recorded and restored. */
export interface BlockVcpu {
  readonly index: number;
  readonly time: GuestTime;
  readonly controls: ExecutionControls;
  readonly registers: Registers;
  /** Words of the behaviour's own. */
  own(at: number): bigint;
  setOwn(at: number, value: bigint): void;
  load(hva: number): number;
  store(hva: number, byte: number): void;
}

/** What a processor without instructions does instead. */
export interface Behaviour {
  /** Power-on or INIT: the registers are as they come up. */
  begin(vcpu: BlockVcpu): void;
  /** VM entry that injects, then run for at most so many ticks. */
  run(vcpu: BlockVcpu, budget: number, injected: number): Ran;
  /** KVM goes past an instruction that exited. */
  skipped(vcpu: BlockVcpu): void;
  /** Emulate the instruction at rip, once more with each read it asked for. */
  emulate?(vcpu: BlockVcpu, reads: readonly MmioAccess[]): Emulated;
  taskSwitch?(vcpu: BlockVcpu): TaskSwitched;
}

const FAILED = { then: 'failed' } as const;

/**
 * A processor that runs no instructions: `behaviour` decides what happens. Its whole state is its bytes, so that the
 * hypervisor and the devices above it can be recorded, replayed, folded and restored.
 */
export function blockGuest(behaviour: Behaviour, memoryBytes: number, time: GuestTime): Engine {
  const memory = new Uint8Array(memoryBytes);
  const eptWords = new Uint32Array(EPT_PAGES * EPT_PAGE_WORDS);
  const eptWritten = new Uint8Array(EPT_PAGES);
  const block = new BigUint64Array(SLOTS * 4);
  const written = new Set<number>();
  const vcpus: (BlockVcpu & { controls: ExecutionControls })[] = [];
  const begin = (vcpu: BlockVcpu): void => {
    vcpu.registers.rip = RESET_RIP;
    vcpu.registers.rflags = RESET_RFLAGS;
    behaviour.begin(vcpu);
  };
  return {
    registers: (vcpu) => vcpus[vcpu]!.registers,
    addVcpu() {
      const index = vcpus.length;
      const base = index * SLOTS;
      const vcpu = {
        index,
        time,
        controls: NO_CONTROLS,
        registers: registersAt(block, base),
        own: (at: number) => block[base + OWN + at]!,
        setOwn(at: number, value: bigint) {
          block[base + OWN + at] = value;
        },
        load: (hva: number) => memory[hva]!,
        store(hva: number, byte: number) {
          memory[hva] = byte;
          written.add(hva >> 12);
        },
      };
      vcpus.push(vcpu);
      begin(vcpu);
      return index;
    },
    resetVcpu: (vcpu) => begin(vcpus[vcpu]!),
    setControls(vcpu, controls) {
      vcpus[vcpu]!.controls = controls;
    },
    run: (vcpu, budget, { info }) => stopOf(vcpus[vcpu]!, behaviour.run(vcpus[vcpu]!, budget, info)),
    emulate: (vcpu, reads) => behaviour.emulate?.(vcpus[vcpu]!, reads) ?? FAILED,
    taskSwitch: (vcpu) => behaviour.taskSwitch?.(vcpus[vcpu]!) ?? { ...FAILED, vector: 0, errorCode: 0, address: 0n },
    setGpr: (vcpu, index, value) => vcpus[vcpu]!.registers.setGpr(index, value),
    setRip(vcpu, rip) {
      vcpus[vcpu]!.registers.rip = rip;
    },
    skipInstruction(vcpu, _length, next) {
      vcpus[vcpu]!.registers.rip = next;
      behaviour.skipped(vcpus[vcpu]!);
    },
    readHost: (hva, length) => memory.slice(hva, hva + length),
    writeHost(hva, bytes) {
      memory.set(bytes, hva);
      for (let at = hva >> 12; at <= (hva + bytes.length - 1) >> 12; at += 1) written.add(at);
    },
    eptWords,
    eptWritten,
    invalidateEpt: () => undefined,
    translate: () => undefined,
    regions: [
      region('memory', memory, () => taken(written)),
      region('ept', new Uint8Array(eptWords.buffer), () => takenFlags(eptWritten)),
      region('blocks', new Uint8Array(block.buffer), () => undefined),
    ],
  };
}

function stopOf({ registers }: BlockVcpu, { ticks, exit }: Ran): GuestStop {
  const { a0 = 0n, a1 = 0n, ...fields } = exit ?? {};
  return {
    why: exit === undefined ? 'budget' : 'exit',
    ticks,
    exit: { ...NO_EXIT, ...fields },
    rip: registers.rip,
    rflags: Number(registers.rflags),
    interruptibility: registers.interruptibility,
    cr8: registers.cr8,
    a0,
    a1,
    a2: 0n,
    a3: 0n,
    a4: 0n,
    a5: 0n,
  };
}

const region = (name: string, bytes: Uint8Array, takeDirty: BulkRegion['takeDirty']): BulkRegion => ({
  name,
  bytes: () => bytes,
  takeDirty,
  restored: () => undefined,
});

function taken(written: Set<number>): number[] {
  const pages = [...written];
  written.clear();
  return pages;
}

function takenFlags(flags: Uint8Array): number[] {
  const pages = [...flags.keys()].filter((page) => flags[page] !== 0);
  flags.fill(0);
  return pages;
}

function registersAt(block: BigUint64Array, base: number): Registers {
  const view = {
    gpr: (index: number) => block[base + index]!,
    setGpr(index: number, value: bigint) {
      block[base + index] = value;
    },
    segment(index: number): Segment {
      const at = base + SEGMENTS + index * 4;
      const [selector, limit, access] = [Number(block[at]), Number(block[at + 2]), Number(block[at + 3])];
      return { selector, base: block[at + 1]!, limit, access };
    },
    setSegment(index: number, segment: Segment) {
      const at = base + SEGMENTS + index * 4;
      block[at] = BigInt(segment.selector);
      block[at + 1] = segment.base;
      block[at + 2] = BigInt(segment.limit);
      block[at + 3] = BigInt(segment.access);
    },
    dr: (index: number) => block[base + DR + index],
    setDr(index: number, value: bigint) {
      block[base + DR + index] = value;
    },
    msr: (index: number) => (MSRS[index] === undefined ? undefined : block[base + MSRS[index]]),
    setMsr(index: number, value: bigint) {
      if (MSRS[index] === undefined) return false;
      block[base + MSRS[index]] = value;
      return true;
    },
    xsave: () => new Uint8Array(576),
    setXsave: () => undefined,
  };
  for (const [name, at] of Object.entries(WORDS)) {
    const set = (value: unknown) => {
      block[base + at] = value as bigint;
    };
    Object.defineProperty(view, name, { get: () => block[base + at], set });
  }
  for (const [name, at] of Object.entries(SMALL)) {
    const set = (value: unknown) => {
      block[base + at] = BigInt(value as number);
    };
    Object.defineProperty(view, name, { get: () => Number(block[base + at]), set });
  }
  for (const [name, at] of Object.entries(TABLES)) {
    const set = (value: unknown) => {
      const table = value as Registers['gdtr'];
      block[base + at] = table.base;
      block[base + at + 1] = BigInt(table.limit);
    };
    Object.defineProperty(view, name, {
      get: () => ({ base: block[base + at], limit: Number(block[base + at + 1]) }),
      set,
    });
  }
  return view as unknown as Registers;
}

/** OUT of the low bytes of a value. SDM Vol. 3, Table 28-5. */
export const out = (port: number, a0: bigint, size = 1): Happening => ({
  reason: 30,
  qualification: (BigInt(port) << 16n) | 0x40n | BigInt(size - 1),
  instructionLength: 2,
  a0,
});

/** IN to AL, AX or EAX. */
export const into = (port: number, size = 1): Happening => ({
  reason: 30,
  qualification: (BigInt(port) << 16n) | 0x48n | BigInt(size - 1),
  instructionLength: 2,
});

export const wrmsr = (msr: number, value: bigint): Happening => ({
  reason: 32,
  instructionLength: 2,
  a0: BigInt(msr),
  a1: value,
});

export const rdmsr = (msr: number): Happening => ({ reason: 31, instructionLength: 2, a0: BigInt(msr) });

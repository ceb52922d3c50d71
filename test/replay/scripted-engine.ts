import {
  NO_EXIT,
  type Emulated,
  type GuestStop,
  type Registers,
  type Segment,
  type VmExit,
} from '../../src/kvm/guest.ts';
import type { Engine, GuestTime } from '../../src/machine/parts.ts';

const MEMORY = 32 << 20;
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
const CHANCE = 100;

type Scripted = Partial<VmExit> & { readonly a0?: bigint; readonly a1?: bigint };

const out = (port: number, a0: bigint): Scripted => ({
  reason: 30,
  qualification: (BigInt(port) << 16n) | 0x40n,
  instructionLength: 2,
  a0,
});
const into = (port: number): Scripted => ({
  reason: 30,
  qualification: (BigInt(port) << 16n) | 0x48n,
  instructionLength: 2,
});
const wrmsr = (msr: number, value: bigint): Scripted => ({
  reason: 32,
  instructionLength: 2,
  a0: BigInt(msr),
  a1: value,
});
const touch = (gpa: number, qualification: bigint): Scripted => ({
  reason: 48,
  qualification,
  guestPhysicalAddress: gpa,
  guestLinearAddress: BigInt(gpa),
});

/** What a guest might do next, drawn by the engine's own chance. */
const SCRIPT: readonly ((draw: number) => Scripted)[] = [
  (draw) => ({ reason: 10, instructionLength: 2, a0: BigInt(draw % 16), a1: 0n }),
  (draw) => out(0x3f8, BigInt(draw % 95) + 32n),
  () => into(0x3fd),
  (draw) => out(0x70, BigInt(draw % 64)),
  () => into(0x71),
  () => into(0x61),
  (draw) => out(0x43, BigInt([0x34, 0xb0, 0x00][draw % 3])),
  (draw) => out(0x40, BigInt(draw % 256)),
  (draw) => out(0xcf8, 0x80000000n | (BigInt(draw % 32) << 11n) | (BigInt(draw % 16) << 2n)),
  () => ({ ...into(0xcfc), qualification: (0xcfcn << 16n) | 0x4bn }),
  () => wrmsr(0x1b, 0xfee00900n),
  () => ({ reason: 31, instructionLength: 2, a0: 0x1bn }),
  () => ({ reason: 31, instructionLength: 2, a0: 0x8bn }),
  (draw) => touch((draw % 2048) * 4096, 0x181n),
  (draw) => touch((draw % 2048) * 4096, 0x182n),
  (draw) => touch(0xfee00000 + (draw % 64) * 16, 0x182n),
  () => wrmsr(0x838, 0x1000n),
  () => ({ reason: 40, instructionLength: 2 }),
];

/**
 * A processor without instructions: every few ticks it takes the next exit of a script, chosen by its own chance. Its
 * whole state is its bytes, so that the hypervisor and devices above it can be recorded, replayed, folded and restored.
 */
export function scriptedEngine(time: GuestTime): Engine {
  const memory = new Uint8Array(MEMORY);
  const eptWords = new Uint32Array(1 << 18);
  const block = new BigUint64Array(SLOTS * 4);
  const dirty = new Set<number>();
  let vcpus = 0;
  const draw = (vcpu: number): number => {
    const at = vcpu * SLOTS + CHANCE;
    block[at] = (block[at] * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(block[at] >> 40n);
  };
  const stopOf = (vcpu: number, why: GuestStop['why'], ticks: number, next: Scripted): GuestStop => {
    const { a0 = 0n, a1 = 0n, ...exit } = next;
    const base = vcpu * SLOTS;
    return {
      why,
      ticks,
      exit: { ...NO_EXIT, ...exit },
      rip: block[base + RIP],
      rflags: Number(block[base + RFLAGS]),
      interruptibility: Number(block[base + SMALL.interruptibility]),
      cr8: Number(block[base + SMALL.cr8]),
      a0,
      a1,
      a2: 0n,
      a3: 0n,
      a4: 0n,
      a5: 0n,
    };
  };
  const views: Registers[] = [];
  return {
    registers: (vcpu) => (views[vcpu] ??= registersAt(block, vcpu * SLOTS)),
    addVcpu() {
      block[vcpus * SLOTS + RFLAGS] = 0x202n;
      block[vcpus * SLOTS + CHANCE] = BigInt(vcpus) + 1n;
      return vcpus++;
    },
    resetVcpu: () => undefined,
    setControls: () => undefined,
    run(vcpu, budget, inject) {
      const base = vcpu * SLOTS;
      if (inject.info !== 0) block[base + 101] += 1n;
      const left = Number(block[base + 102]);
      const ticks = Math.min(left, budget);
      block[base + 102] = BigInt(left - ticks);
      block[base + RIP] += BigInt(ticks);
      if (left >= budget) return stopOf(vcpu, 'budget', ticks, {});
      const at = Number(block[base + RIP] % BigInt(MEMORY));
      memory[at] += Number((time.hostTsc() + BigInt(ticks * time.tscPerTick)) & 0xffn);
      dirty.add(at >> 12);
      block[base + 102] = BigInt(1 + (draw(vcpu) % 600));
      const value = draw(vcpu);
      if (value % 7 === 0) memory[at] ^= Number(time.random() & 0xffn);
      return stopOf(vcpu, 'exit', ticks, SCRIPT[draw(vcpu) % SCRIPT.length](value));
    },
    emulate(vcpu): Emulated {
      block[vcpu * SLOTS + RIP] += 3n;
      const gpa = 0xfee00000 + (draw(vcpu) % 64) * 16;
      return { then: 'done', writes: [{ gpa, bytes: Uint8Array.of(draw(vcpu) & 0xff, 0, 0, 0) }] };
    },
    taskSwitch: () => ({ then: 'failed', vector: 0, errorCode: 0, address: 0n }),
    setGpr(vcpu, index, value) {
      block[vcpu * SLOTS + index] = value;
    },
    setRip(vcpu, rip) {
      block[vcpu * SLOTS + RIP] = rip;
    },
    skipInstruction(vcpu, length) {
      block[vcpu * SLOTS + RIP] += BigInt(length);
    },
    readHost: (hva, length) => memory.slice(hva, hva + length),
    writeHost(hva, bytes) {
      memory.set(bytes, hva);
      for (let at = hva >> 12; at <= (hva + bytes.length - 1) >> 12; at += 1) dirty.add(at);
    },
    eptWords,
    invalidateEpt: () => undefined,
    translate: () => undefined,
    regions: [
      {
        name: 'memory',
        bytes: () => memory,
        takeDirty() {
          const pages = [...dirty];
          dirty.clear();
          return pages;
        },
        restored: () => undefined,
      },
      {
        name: 'ept',
        bytes: () => new Uint8Array(eptWords.buffer),
        takeDirty: () => undefined,
        restored: () => undefined,
      },
      {
        name: 'blocks',
        bytes: () => new Uint8Array(block.buffer),
        takeDirty: () => undefined,
        restored: () => undefined,
      },
    ],
  };
}

function registersAt(block: BigUint64Array, base: number): Registers {
  const view = {
    gpr: (index: number) => block[base + index],
    setGpr(index: number, value: bigint) {
      block[base + index] = value;
    },
    segment(index: number): Segment {
      const at = base + SEGMENTS + index * 4;
      const [selector, limit, access] = [block[at], block[at + 2], block[at + 3]].map(Number);
      return { selector, base: block[at + 1], limit, access };
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
  for (const [name, at] of Object.entries(WORDS))
    defineSlot(
      view,
      name,
      () => block[base + at],
      (value) => {
        block[base + at] = value as bigint;
      },
    );
  for (const [name, at] of Object.entries(SMALL))
    defineSlot(
      view,
      name,
      () => Number(block[base + at]),
      (value) => {
        block[base + at] = BigInt(value as number);
      },
    );
  for (const [name, at] of Object.entries(TABLES)) {
    defineSlot(
      view,
      name,
      () => ({ base: block[base + at], limit: Number(block[base + at + 1]) }),
      (value) => {
        const table = value as Registers['gdtr'];
        block[base + at] = table.base;
        block[base + at + 1] = BigInt(table.limit);
      },
    );
  }
  return view as unknown as Registers;
}

function defineSlot(view: object, name: string, get: () => unknown, set: (value: unknown) => void): void {
  Object.defineProperty(view, name, { get, set });
}

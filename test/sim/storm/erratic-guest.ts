import { type Emulated, type MmioAccess, NO_EXIT } from '../../../src/x86/guest.ts';
import type { Engine, GuestTime } from '../../../src/machine/parts.ts';
import { blockGuest, type BlockVcpu, type Happening, into, out, rdmsr, wrmsr } from '../../machine/block-guest.ts';

/** MiB of the machine. */
export const MEMORY_MIB = 8;
const MEMORY = MEMORY_MIB << 20;
const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;
/** Device memory of nobody but user space. */
const MAPPED = 0xd000_0000;

const CHANCE = 0;
const LEFT = 1;

function draw(vcpu: BlockVcpu): number {
  const next = (vcpu.own(CHANCE) * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  vcpu.setOwn(CHANCE, next);
  return Number(next >> 40n);
}

const of = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

/** An EPT violation. SDM Vol. 3, Table 28-7: read, write, fetch; what the entry allowed. */
const violation = (gpa: number, qualification: number): Happening => ({
  reason: 48,
  qualification: BigInt(0x180 | qualification),
  guestPhysicalAddress: gpa,
  guestLinearAddress: BigInt(gpa),
});

const page = (n: number): number => (n % (MEMORY / 4096)) * 4096;

/** Exit 0 with this interruption information. SDM Vol. 3, Table 25-18. */
const exception = (info: number, qualification = 0n): Happening => ({
  reason: 0,
  qualification,
  instructionLength: 1,
  interruptionInfo: info,
  interruptionErrorCode: 2,
});

const WINDOWS = [
  [1 << 2, 7],
  [1 << 22, 8],
] as const;
const MSRS = [
  0x10, 0x1b, 0x3b, 0x48, 0x8b, 0x174, 0x1a0, 0x277, 0x400, 0x6e0, 0x808, 0x80b, 0x830, 0x832, 0x838, 0x123,
];
const PV_MSRS = [0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04, 0x4b564d05];

/** What may happen next. */
const HAPPENINGS: readonly ((n: number) => Happening)[] = [
  (n) => violation(page(n), of([1, 2, 4, 0x3a, 0x3a], n >> 8)),
  (n) => violation(page(n), 2),
  (n) => violation(page(n), 0x3a),
  (n) => violation(of([LAPIC, IOAPIC, MAPPED], n) + ((n >> 2) % 64) * 16, 2),
  (n) => ({ reason: 49, guestPhysicalAddress: of([LAPIC, IOAPIC, MAPPED], n), instructionLength: 2 }),
  (n) => out(of([0x20, 0x21, 0xa0, 0xa1, 0x40, 0x42, 0x43, 0x61, 0x80, 0x4d0], n), BigInt(n >> 4), 1 << (n % 3)),
  (n) => into(of([0x20, 0x40, 0x42, 0x61, 0xa0, 0x71], n), 1 << (n % 3)),
  (n) => ({ ...out(0x3f8, 0n), qualification: (0x3f8n << 16n) | BigInt(0x70 | ((n % 2) << 3)) }),
  (n) => ({ reason: 10, instructionLength: 2, a0: BigInt(n % 16), a1: 0n }),
  () => ({ reason: 12, instructionLength: 1 }),
  (n) => ({ reason: 18, instructionLength: 3, a0: BigInt(n % 13), a1: BigInt(n % 4) }),
  (n) => ({ reason: 28, qualification: BigInt(of([0, 3, 4, 8, 8], n)), instructionLength: 3, a0: BigInt(n % 40) }),
  (n) => ({ reason: 28, qualification: BigInt(of([0x13, 0x18, 0x20, 0x30], n)), instructionLength: 3 }),
  (n) => ({ reason: 29, qualification: BigInt(of([0, 1, 6, 7, 0x17, 0x10], n)), instructionLength: 3, a0: BigInt(n) }),
  (n) => rdmsr(of(MSRS, n)),
  (n) => wrmsr(of(MSRS, n), BigInt(n >> 3)),
  (n) => wrmsr(of(PV_MSRS, n), BigInt(page(n >> 4) + (n % 2))),
  (n) => wrmsr(0x830, BigInt(of([0x44041, 0xc4042, 0x84400, 0xc4043], n))),
  (n) =>
    exception(of([0x80000301, 0x80000501, 0x80000603, 0x80000306, 0x80000b11, 0x80000b0e, 0x80000202], n), 0x4000n),
  (n) => ({ reason: 9, qualification: BigInt((of([0, 1, 3], n) << 30) >>> 0) | 0x28n, instructionLength: 2 }),
  (n) => ({ reason: of([40, 54, 55, 2, 20, 14, 36, 99, 37, 43], n), instructionLength: 2, a0: 0n, a1: BigInt(n % 4) }),
];

/** Exits that may come while an event is delivered, and what was being delivered: SDM Vol. 3, Table 25-19. */
const DURING_DELIVERY = [0, 9, 48, 49];
const DELIVERED = [0x80000031, 0x80000202, 0x80000b0e, 0x80000603, 0x80000480, 0x80000501];

function nextExit(vcpu: BlockVcpu): Happening {
  const { primary } = vcpu.controls;
  const open = WINDOWS.find(([bit]) => (primary & bit) !== 0);
  if (open !== undefined && draw(vcpu) % 2 === 0) return { reason: open[1] };
  const happening = of(HAPPENINGS, draw(vcpu))(draw(vcpu));
  if (!DURING_DELIVERY.includes(happening.reason ?? 0) || draw(vcpu) % 5 !== 0) return happening;
  return { ...happening, idtVectoringInfo: of(DELIVERED, draw(vcpu)), idtVectoringErrorCode: 4 };
}

/** A redirection entry's low half: level-triggered, not masked. */
const LEVEL_ENTRY = Uint8Array.of(0x40, 0x80, 0, 0);
const EXCEPTIONS = [0x80000b0d, 0x80000b0e, 0x80000b0a, 0x80000306];

function emulated(vcpu: BlockVcpu, reads: readonly MmioAccess[]): Emulated {
  const n = draw(vcpu);
  const device = of([LAPIC, IOAPIC, MAPPED, MAPPED], n);
  const gpa = device + ((n >> 4) % (device === IOAPIC ? 2 : 64)) * 16;
  const length = of([1, 2, 4, 8, 16], n >> 2);
  if (reads.length > 0) return done(vcpu, []);
  switch (n % 9) {
    case 0:
    case 1:
      return { then: 'read', gpa, length };
    case 2:
      return { then: 'in', port: of([0x3f8, 0x40], n), size: 1, count: 3 };
    case 3:
      return { then: 'out', port: of([0x3f8, 0x20], n), size: 1, bytes: Uint8Array.of(0x20, n & 0xff), breakpoints: 0 };
    case 4:
      return n % 4 === 0 ? { then: 'failed' } : { then: 'exit', exit: faulted(n) };
    default:
      if (device === IOAPIC && draw(vcpu) % 2 === 0) return done(vcpu, [{ gpa, bytes: LEVEL_ENTRY }]);
      return done(vcpu, [{ gpa, bytes: Uint8Array.from({ length }, (_, at) => (n >> at) & 0xff) }]);
  }
}

function done(vcpu: BlockVcpu, writes: readonly MmioAccess[]): Emulated {
  vcpu.registers.rip += 3n;
  return { then: 'done', writes, breakpoints: 0 };
}

const faulted = (n: number) => ({
  ...NO_EXIT,
  reason: 0,
  qualification: BigInt(n),
  interruptionInfo: of(EXCEPTIONS, n >> 3),
  interruptionErrorCode: 6,
});

const MOST_TICKS = 400;

/** A processor that has no instructions, and nearly every exit there is, by its own chance. */
export const erraticEngine = (time: GuestTime): Engine =>
  blockGuest(
    {
      begin(vcpu) {
        vcpu.registers.rflags = 0x202n;
        if (vcpu.own(CHANCE) === 0n) vcpu.setOwn(CHANCE, BigInt(vcpu.index) + 1n);
      },
      run(vcpu, budget) {
        const { registers } = vcpu;
        const left = Number(vcpu.own(LEFT));
        const ticks = Math.min(left, budget);
        vcpu.setOwn(LEFT, BigInt(left - ticks));
        registers.rip = (registers.rip + BigInt(ticks)) & 0xfffffn;
        if (left >= budget) return { ticks };
        const n = draw(vcpu);
        vcpu.setOwn(LEFT, BigInt(1 + (n % MOST_TICKS)));
        if (n % 5 === 0) registers.cr8 = (n >> 4) % 16;
        if (n % 7 === 0) registers.rflags ^= 0x200n;
        return { ticks, exit: nextExit(vcpu) };
      },
      skipped: () => undefined,
      emulate: emulated,
      taskSwitch(vcpu) {
        const then = of(
          ['done', 'done', 'fault in the old task', 'fault in the new task', 'failed'] as const,
          draw(vcpu),
        );
        return { then, vector: of([10, 14], draw(vcpu)), errorCode: 0x28, address: 0x1234n };
      },
    },
    MEMORY + (1 << 20),
    time,
  );

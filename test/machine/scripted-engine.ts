import type { Emulated, MmioAccess } from '../../src/x86/guest.ts';
import type { Engine, GuestTime } from '../../src/machine/parts.ts';
import { type Behaviour, type BlockVcpu, blockGuest, type Happening, into, out, rdmsr, wrmsr } from './block-guest.ts';

/** MiB of the machine. */
export const MEMORY_MIB = 16;
const ROM_BYTES = 1 << 20;
const MEMORY = MEMORY_MIB << 20;

/** Words of its own: its chance, injected events, ticks to the next exit. */
const CHANCE = 0;
const INJECTED = 1;
const LEFT = 2;

const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;
const HPET = 0xfed00000;
const GENERAL_PROTECTION = 0x80000b0d;

/** Writes to mapped registers that mean something: SDM Vol. 3, 11.4 to 11.8; 82093AA, 3.1; IA-PC HPET 1.0a, 2.3. */
const WRITES: readonly (readonly [gpa: number, value: number])[] = [
  // Software enable; the timer periodic, then once; its divider and count; end of interrupt; priority.
  ...([
    [0xf0, 0x1ff],
    [0x320, 0x20040],
    [0x320, 0x41],
    [0x3e0, 0xb],
    [0x380, 20_000],
    [0xb0, 0],
    [0x80, 0x20],
  ] as const),
  // To itself and others: fixed, NMI, INIT twice as rarely as a start-up.
  ...([
    [0x300, 0x44042],
    [0x300, 0xc4043],
    [0x300, 0xc4400],
    [0x300, 0xc4500],
    [0x300, 0xc4610],
    [0x300, 0xc4610],
  ] as const),
].map(([offset, value]) => [LAPIC + offset, value]);

const MORE_WRITES: typeof WRITES = [
  [IOAPIC, 0x10],
  [IOAPIC, 0x18],
  [IOAPIC + 0x10, 0x44],
  [IOAPIC + 0x10, 0x8045],
  [HPET + 0x10, 1],
  [HPET + 0x100, 4],
  [HPET + 0x108, 5000],
];

function draw(vcpu: BlockVcpu): number {
  const next = (vcpu.own(CHANCE) * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  vcpu.setOwn(CHANCE, next);
  return Number(next >> 40n);
}

const touch = (gpa: number, qualification: bigint): Happening => ({
  reason: 48,
  qualification,
  guestPhysicalAddress: gpa,
  guestLinearAddress: BigInt(gpa),
});

/** A write to mapped registers that KVM emulates. */
const mapped = (gpa: number): Happening => touch(gpa, 0x182n);

/** What a guest might do next. */
const SCRIPT: readonly ((draw: number) => Happening)[] = [
  (n) => ({ reason: 10, instructionLength: 2, a0: BigInt(n % 16), a1: 0n }),
  (n) => out(0x3f8, BigInt(n % 95) + 32n),
  (n) => out(0x3f9, BigInt(n % 4)),
  () => into(0x3fd),
  (n) => out(0x70, BigInt(n % 64)),
  () => into(0x71),
  (n) => out(0x71, BigInt(n % 256)),
  () => into(0x61),
  (n) => out(0x43, BigInt([0x34, 0xb0, 0x00][n % 3]!)),
  (n) => out(0x40, BigInt(n % 3 === 0 ? n % 256 : 0)),
  (n) => out(0x20 + (n % 2), BigInt([0x20, 0x0a, 0x0c, 0x11][n % 4]!)),
  (n) => out(0xcf8, 0x80000000n | (BigInt(n % 4) << 9n) | (BigInt((n >> 2) % 32) << 2n), 4),
  (n) => (n % 3 === 0 ? out(0xcfc, BigInt(n), 4) : into(0xcfc, 4)),
  (n) => (n % 16 === 0 ? out(0xcf9, 6n) : into(0x64)),
  (n) => out([0x60, 0x64][n % 2]!, BigInt([0xf4, 0x60, 0xed, 0xaa][(n >> 1) % 4]!)),
  () => wrmsr(0x1b, 0xfee00900n),
  () => rdmsr(0x1b),
  () => rdmsr(0x8b),
  (n) => wrmsr(0x4b564d00 + (n % 5), BigInt((n % 8) * 0x1000 + 1)),
  (n) => touch((n % 2048) * 4096, 0x181n),
  (n) => touch((n % 2048) * 4096, 0x182n),
  (n) => mapped(LAPIC + (n % 64) * 16),
  () => mapped(HPET),
  () => mapped(IOAPIC),
  () => wrmsr(0x838, 0x1000n),
  (n) => ({ reason: 18, instructionLength: 3, a0: BigInt(n % 12), a1: BigInt(n % 7) }),
  (n) => ({ reason: 28, qualification: 8n, instructionLength: 3, a0: BigInt(n % 16) }),
  () => ({ reason: 9, qualification: 0x80000028n, instructionLength: 2 }),
  () => ({ reason: 40, instructionLength: 2 }),
];

const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** What came of an instruction that KVM emulates: mostly one write to mapped registers. */
function emulated(vcpu: BlockVcpu, reads: readonly MmioAccess[]): Emulated {
  const which = draw(vcpu);
  const table = which % 3 === 0 ? MORE_WRITES : WRITES;
  const [gpa, value] = table[draw(vcpu) % table.length]!;
  if (reads.length === 0 && which % 7 === 0) return { then: 'read', gpa, length: 4 };
  if (reads.length === 0 && which % 11 === 0) return { then: 'exit', exit: exceptionExit() };
  vcpu.registers.rip += 3n;
  return { then: 'done', writes: reads.length > 0 ? [] : [{ gpa, bytes: word(value) }], breakpoints: 0 };
}

const exceptionExit = () => ({
  ...{ reason: 0, qualification: 0n, instructionLength: 0, instructionInfo: 0, idtVectoringInfo: 0 },
  ...{ idtVectoringErrorCode: 0, guestLinearAddress: 0n, guestPhysicalAddress: 0 },
  interruptionInfo: GENERAL_PROTECTION,
  interruptionErrorCode: 0x18,
});

const SCRIPTED: Behaviour = {
  begin(vcpu) {
    vcpu.registers.rflags = 0x202n;
    if (vcpu.own(CHANCE) === 0n) vcpu.setOwn(CHANCE, BigInt(vcpu.index) + 1n);
  },
  run(vcpu, budget, injected) {
    const { registers, time } = vcpu;
    if (injected !== 0) vcpu.setOwn(INJECTED, vcpu.own(INJECTED) + 1n);
    const left = Number(vcpu.own(LEFT));
    const ticks = Math.min(left, budget);
    vcpu.setOwn(LEFT, BigInt(left - ticks));
    registers.rip += BigInt(ticks);
    if (left >= budget) return { ticks };
    const at = Number(registers.rip % BigInt(MEMORY));
    vcpu.store(at, vcpu.load(at) + Number((time.hostTsc() + BigInt(ticks * time.tscPerTick)) & 0xffn));
    vcpu.setOwn(LEFT, BigInt(1 + (draw(vcpu) % 200)));
    const value = draw(vcpu);
    if (value % 7 === 0) vcpu.store(at, vcpu.load(at) ^ Number(time.random(ticks) & 0xffn));
    return { ticks, exit: SCRIPT[draw(vcpu) % SCRIPT.length]!(value) };
  },
  skipped: () => undefined,
  emulate: emulated,
  taskSwitch: () => ({ then: 'done', vector: 0, errorCode: 0, address: 0n }),
};

/** A processor that takes the next exit of a script every few ticks, chosen by its own chance. */
export const scriptedEngine = (time: GuestTime): Engine => blockGuest(SCRIPTED, MEMORY + ROM_BYTES, time);

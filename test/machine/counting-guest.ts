import type { Engine, GuestTime } from '../../src/machine/parts.ts';
import {
  type Behaviour,
  type BlockVcpu,
  blockGuest,
  type Happening,
  into,
  out,
  type Ran,
  wrmsr,
} from './block-guest.ts';

/** MiB of the machine: a kernel at 4 MiB has room. */
export const MEMORY_MIB = 5;
const ROM_BYTES = 1 << 20;

const OUT_EVERY = 97;
const HALT_EVERY = 1009;
/** Where it counts in memory: pages that nothing else uses. */
const NOTES = 0x20000;
const NOTES_SIZE = 16 * 4096;

const COM1 = 0x3f8;
const PIC = 0x20;
const SERIAL_VECTOR = 0x24;
const TIMER_VECTOR = 0x40;
/** TSC cycles from one timer interrupt to the next: 50 us of 2 GHz. */
const PERIOD = 100_000n;
const INTERRUPT_FLAG = 0x200n;
/** SDM Vol. 3, Table 25-6. */
const WINDOW_EXITING = 4;
const ESCAPE = 0x1bn;

const APIC_BASE = 0x1b;
const X2APIC_EOI = 0x80b;
const X2APIC_SVR = 0x80f;
const X2APIC_ICR = 0x830;
const X2APIC_LVT_TIMER = 0x832;
const TSC_DEADLINE = 0x6e0;

type Step = (vcpu: BlockVcpu, ticks: number) => Happening;

const tscOf = ({ time, controls }: BlockVcpu, ticks: number): bigint =>
  BigInt.asUintN(64, time.hostTsc() + BigInt(ticks * time.tscPerTick) + controls.tscOffset);

/** The next timer interrupt, by TSC deadline. SDM Vol. 3, 11.5.4.1. */
const armTimer: Step = (vcpu, ticks) => wrmsr(TSC_DEADLINE, tscOf(vcpu, ticks) + PERIOD);

const localApic = (base: bigint): Step[] => [
  () => wrmsr(APIC_BASE, base),
  () => wrmsr(X2APIC_SVR, 0x1ffn),
  () => wrmsr(X2APIC_LVT_TIMER, 0x40000n | BigInt(TIMER_VECTOR)),
  armTimer,
];

const fixed = (...happenings: readonly Happening[]): Step[] => happenings.map((happening) => () => happening);

/** What each kind of code does, one exit after the other, with interrupts off. */
const ROUTINES: Readonly<Record<Routine, readonly Step[]>> = {
  count: [],
  /** The first vCPU: PIC with IRQ 4 only, COM1 with receive interrupts, its local APIC, then the others. */
  boot: [
    ...fixed(out(PIC, 0x11n), out(PIC + 1, 0x20n), out(PIC + 1, 4n), out(PIC + 1, 1n), out(PIC + 1, 0xefn)),
    ...fixed(out(COM1 + 3, 3n), out(COM1 + 4, 0xbn), out(COM1 + 1, 1n)),
    ...localApic(0xfee00d00n),
    ...fixed(wrmsr(X2APIC_ICR, 0xc4500n), wrmsr(X2APIC_ICR, 0xc4610n)),
  ],
  bootOther: localApic(0xfee00c00n),
  timer: [() => wrmsr(X2APIC_EOI, 0n), armTimer],
  /** An ESC typed at COM1 turns the machine off, by PM1 control. ACPI 4.8.3.2. */
  serial: [
    () => into(COM1),
    ({ registers }) => ((registers.gpr(0) & 0xffn) === ESCAPE ? out(0x604, 0x2000n, 2) : out(PIC, 0x20n)),
  ],
};

type Routine = 'count' | 'boot' | 'bootOther' | 'timer' | 'serial';
const NAMES: readonly Routine[] = ['count', 'boot', 'bootOther', 'timer', 'serial'];

const COUNT = 0;
const ROUTINE = 1;
const STEP = 2;

function enter(vcpu: BlockVcpu, routine: Routine): void {
  vcpu.setOwn(ROUTINE, BigInt(NAMES.indexOf(routine)));
  vcpu.setOwn(STEP, 0n);
  if (routine === 'count') vcpu.registers.rflags |= INTERRUPT_FLAG;
  else vcpu.registers.rflags &= ~INTERRUPT_FLAG;
}

const isVector = (injected: number, vector: number): boolean => injected !== 0 && (injected & 0xff) === vector;

/** What the next tick is, or the exit that comes instead. */
function nextExit(vcpu: BlockVcpu, ticks: number): Happening | undefined {
  const routine = NAMES[Number(vcpu.own(ROUTINE))]!;
  if (routine !== 'count') return ROUTINES[routine][Number(vcpu.own(STEP))]?.(vcpu, ticks);
  if ((vcpu.controls.primary & WINDOW_EXITING) !== 0) return { reason: 7 };
  const next = Number(vcpu.own(COUNT)) + 1;
  if (next % OUT_EVERY === 0) return out(COM1, BigInt(vcpu.load(NOTES + (next % NOTES_SIZE))));
  return next % HALT_EVERY === 0 ? { reason: 12, instructionLength: 1 } : undefined;
}

/** One tick: what a routine ends with, or one more. What is noted depends on the TSC, so that a wrong time shows. */
function tick(vcpu: BlockVcpu, ticks: number): void {
  if (vcpu.own(ROUTINE) !== 0n) {
    enter(vcpu, 'count');
    return;
  }
  const next = vcpu.own(COUNT) + 1n;
  vcpu.setOwn(COUNT, next);
  vcpu.registers.rip = next & 0x7fffn;
  const at = NOTES + ((Number(next) * 41) % NOTES_SIZE);
  vcpu.store(at, vcpu.load(at) + Number(tscOf(vcpu, ticks) & 0xffn));
}

const COUNTING: Behaviour = {
  begin: (vcpu) => enter(vcpu, vcpu.index === 0 ? 'boot' : 'bootOther'),
  run(vcpu, budget, injected): Ran {
    if (isVector(injected, TIMER_VECTOR)) enter(vcpu, 'timer');
    if (isVector(injected, SERIAL_VECTOR)) enter(vcpu, 'serial');
    for (let ticks = 0; ticks < budget; ticks += 1) {
      const exit = nextExit(vcpu, ticks);
      if (exit !== undefined) return { ticks, exit };
      tick(vcpu, ticks + 1);
    }
    return { ticks: budget };
  },
  skipped(vcpu) {
    const at = vcpu.own(ROUTINE) === 0n ? COUNT : STEP;
    vcpu.setOwn(at, vcpu.own(at) + 1n);
  },
};

/**
 * A guest that counts: each tick adds one and writes a byte of memory; every 97th count goes to COM1, at every 1009th
 * the vCPU halts, until the timer that it arms for every 50 us wakes it. What is typed at COM1 interrupts the first
 * vCPU, which starts the others; ESC turns the machine off.
 */
export const countingEngine = (time: GuestTime): Engine => blockGuest(COUNTING, MEMORY_MIB * 2 ** 20 + ROM_BYTES, time);

import { Mnemonic } from 'iced-x86';
import { GPR_NAMES, type Registers } from '../../../src/x86/guest.ts';
import type { StoppedQemu } from '../qemu/qemu.ts';
import { readRegisters, type StepRegisters, writeEflags } from '../qemu/registers.ts';
import { bytesAt, is64Bit, linearIp, modeName, type SteppedMachine } from '../stepped-machine.ts';
import { type StaticInfo, staticInfo } from './static-info.ts';

/** How a walk went. */
export interface Walk {
  readonly steps: number;
  readonly compared: number;
  /** Results taken over from QEMU, by kind: how often, and how often they differed. */
  readonly taken: ReadonlyMap<string, { readonly times: number; readonly differed: number }>;
  /** Steps of QEMU's that ran nothing. */
  readonly emptySteps: number;
  /** Set when registers differed where nothing allows it. */
  readonly mismatch: string | undefined;
  /** Why it ended before the number of steps asked for. */
  readonly ended: string | undefined;
}

const FLAGS = 0x8d5 | 0x400 | 0x200 | 0x100; // status, DF, IF, TF
const FW_CFG_DMA_LOW = 0x518;
const OUT_DX_EAX = 0xef;
const HISTORY = 24;
/** Steps QEMU may lag behind before it counts as a mismatch. */
const RECENT = 3;
const SHORTEST_STRETCH = 64;
const LONGEST_STRETCH = 20_000_000;
const INTERRUPT_FLAG = 0x200n;
/** Iterations up to which a REP instruction is stepped; longer ones run to a breakpoint behind them. */
const LONGEST_STEPPED_REPEAT = 8;
/** Looked at one by one: they start DMA, open an interrupt window or step oddly in QEMU. */
const SPECIAL = new Set<Mnemonic>([
  Mnemonic.Out,
  Mnemonic.Sti,
  Mnemonic.Cli,
  Mnemonic.Pause,
  Mnemonic.Iret,
  Mnemonic.Iretd,
  Mnemonic.Iretq,
]);

/** One walk of both machines, from equal states. */
export class Lockstep {
  readonly #qemu: StoppedQemu;
  readonly #stepped: SteppedMachine;
  readonly #registers: Registers;
  readonly #known = new Map<string, StaticInfo>();
  readonly #taken = new Map<string, { times: number; differed: number }>();
  readonly #history: string[] = [];
  /** Flags the SDM leaves undefined since they were last written. */
  #loose = 0;
  /** QEMU's step over PAUSE often goes on through the next instruction: that one is then stepped on our side only. */
  #isAhead = false;
  readonly #recent: bigint[] = [];
  #emptySteps = 0;
  #compared = 0;
  /** Instructions of the last stretch. */
  #stretched = 0;
  /** Places whose instruction read mapped registers. */
  readonly #mapped = new Set<string>();

  constructor(qemu: StoppedQemu, stepped: SteppedMachine) {
    this.#qemu = qemu;
    this.#stepped = stepped;
    this.#registers = stepped.registers;
  }

  /**
   * Walk `steps` instructions. With interrupts off and nothing foreign about, QEMU runs to a breakpoint at a place
   * our side reached for the first time since the last comparison; elsewhere, and with `single`, it is stepped.
   */
  walk(steps: number, single = false): Walk {
    this.#adopt();
    let done = 0;
    while (done < steps) {
      const info = this.#next();
      if (info.mnemonic === Mnemonic.Hlt) return this.#result(done, undefined, 'HLT');
      const mustStep = single || this.#isAhead || this.#isSpecial(info);
      const mismatch = mustStep ? this.#oneStep(info) : this.#stretch();
      done += mustStep ? 1 : this.#stretched;
      if (mismatch !== undefined) return this.#result(done, this.#describe(mismatch), undefined);
    }
    return this.#result(done, undefined, undefined);
  }

  /** One instruction on both sides, and a comparison. */
  #oneStep(info: StaticInfo): string | undefined {
    const kind = this.#stepBoth(info);
    if (this.#isAhead) return undefined;
    const qemu = this.#meet();
    if (kind !== undefined) this.#take(kind, qemu);
    return this.#compare(qemu);
  }

  #isSpecial(info: StaticInfo): boolean {
    const interruptsOn = (this.#registers.rflags & INTERRUPT_FLAG) !== 0n;
    return interruptsOn || SPECIAL.has(info.mnemonic) || info.foreign !== undefined || this.#mapped.has(this.#place());
  }

  #place(): string {
    return linearIp(this.#registers).toString(16);
  }

  /** Our side runs to a place not yet met in this stretch; QEMU follows by a breakpoint there. */
  #stretch(): string | undefined {
    const met = new Set<string>();
    let kind: string | undefined;
    this.#stretched = 0;
    for (;;) {
      const info = this.#next();
      const place = this.#place();
      const isNew = !met.has(place);
      const isFull = this.#stretched >= SHORTEST_STRETCH || kind !== undefined || this.#isSpecial(info);
      if (
        this.#stretched > 0 &&
        ((isNew && isFull) || this.#stretched >= LONGEST_STRETCH || info.mnemonic === Mnemonic.Hlt)
      )
        break;
      met.add(place);
      this.#remember(info);
      const mapped = this.#stepOurs(this.#registers.rip, info);
      if (mapped !== undefined) this.#mapped.add(place);
      kind ??= mapped;
      this.#stretched++;
    }
    this.#runQemuTo(linearIp(this.#registers));
    const qemu = readRegisters(this.#qemu.gdb);
    if (kind !== undefined) this.#take(kind, qemu);
    return this.#compare(qemu);
  }

  #runQemuTo(linear: bigint): void {
    const { gdb } = this.#qemu;
    const place = (linear & 0xffffffffffffffffn).toString(16);
    gdb.ask(`Z0,${place},1`);
    gdb.ask('c');
    gdb.ask(`z0,${place},1`);
  }

  /** QEMU's stub masks interrupts while it steps only: IF is off there while it runs, and as it was afterwards. */
  #withoutInterrupts(run: () => void): void {
    const { gdb } = this.#qemu;
    const { eflags } = readRegisters(gdb);
    const interruptFlag = eflags & Number(INTERRUPT_FLAG);
    if (interruptFlag !== 0) writeEflags(gdb, eflags & ~interruptFlag);
    run();
    if (interruptFlag !== 0) writeEflags(gdb, readRegisters(gdb).eflags | interruptFlag);
  }

  #remember(info: StaticInfo): void {
    this.#history.push(`${this.#place()} ${info.text}`);
    if (this.#history.length > HISTORY) this.#history.shift();
    this.#loose = (this.#loose & ~info.modified) | info.undefined;
  }

  /** General registers as QEMU has them: at reset, EDX holds its processor's signature. */
  #adopt(): void {
    for (const [i, value] of readRegisters(this.#qemu.gdb).gpr.entries()) this.#registers.setGpr(i, value);
  }

  #result(steps: number, mismatch: string | undefined, ended: string | undefined): Walk {
    return { steps, compared: this.#compared, taken: this.#taken, emptySteps: this.#emptySteps, mismatch, ended };
  }

  #next(): StaticInfo {
    const mode = modeName(this.#registers);
    const linear = linearIp(this.#registers);
    const bytes = bytesAt(this.#stepped, linear);
    const key = `${mode}${linear.toString(16)}`;
    const known = this.#known.get(key);
    if (known?.bytes.every((byte, i) => byte === bytes[i])) return known;
    const info = staticInfo(bytes, mode === 'prot64' ? 64 : mode === 'prot32' ? 32 : 16);
    this.#known.set(key, info);
    return info;
  }

  /** Run the instruction on both sides. Returns what makes its result QEMU's to give. */
  #stepBoth(info: StaticInfo): string | undefined {
    this.#remember(info);
    const before = this.#registers.rip;
    this.#recent.push(before);
    if (this.#recent.length > RECENT) this.#recent.shift();
    const behind = linearIp(this.#registers) + BigInt(info.bytes.length);
    const count = Number(this.#registers.gpr(1) & 0xffffffffn);
    const target = this.#string(info);
    const isDma = this.#dma(info);
    const foreign = this.#stepOurs(before, info);
    const wasAhead = this.#isAhead;
    this.#isAhead = false;
    if (wasAhead) return info.foreign ?? foreign;
    if (info.repeats) this.#repeatQemu(before, behind, count);
    else this.#qemu.gdb.step();
    if (info.mnemonic === Mnemonic.Pause) this.#isAhead = readRegisters(this.#qemu.gdb).rip !== this.#registers.rip;
    if (target !== undefined || isDma !== undefined) this.#meet();
    if (target !== undefined) this.#copyMemory(target.at, target.length);
    if (isDma !== undefined) this.#copyDma(isDma);
    return info.foreign ?? foreign;
  }

  /** Our side: one instruction, with whatever visits to KVM and user space it takes. */
  #stepOurs(before: bigint, info: StaticInfo): string | undefined {
    const { machine, events } = this.#stepped;
    events.length = 0;
    let foreign: string | undefined;
    do machine.advance({ tick: machine.ticks + 1 });
    while (info.repeats && this.#registers.rip === before);
    for (const { event } of events) if (event.kind === 'kvm_mmio' && event.type === 1) foreign = 'MMIO';
    return foreign;
  }

  /** QEMU takes a REP instruction one iteration a step, and one more to leave it. */
  #repeatQemu(before: bigint, behind: bigint, count: number): void {
    const { gdb } = this.#qemu;
    this.#stepTo(before);
    if (count > LONGEST_STEPPED_REPEAT) {
      this.#withoutInterrupts(() => this.#runQemuTo(behind));
      return;
    }
    do gdb.step();
    while (readRegisters(gdb).rip === before);
  }

  /** QEMU's registers, once it has caught up: a step in which only its APIC was polled runs no instruction. */
  #meet(): StepRegisters {
    return this.#stepTo(this.#registers.rip);
  }

  #stepTo(rip: bigint): StepRegisters {
    let qemu = readRegisters(this.#qemu.gdb);
    for (let n = 0; n < RECENT && qemu.rip !== rip && this.#recent.includes(qemu.rip); n++) {
      this.#emptySteps++;
      this.#qemu.gdb.step();
      qemu = readRegisters(this.#qemu.gdb);
    }
    return qemu;
  }

  /** Where INS is going to store, before it runs. */
  #string(info: StaticInfo): { at: number; length: number } | undefined {
    if (info.foreign !== 'INS') return undefined;
    const r = this.#registers;
    const size = info.mnemonic === Mnemonic.Insb ? 1 : info.mnemonic === Mnemonic.Insw ? 2 : 4;
    const wide = is64Bit(r) || (r.segment(1).access & (1 << 14)) !== 0;
    const mask = wide ? 0xffffffffn : 0xffffn;
    const length = (info.repeats ? Number(r.gpr(1) & mask) : 1) * size;
    const base = is64Bit(r) ? 0n : r.segment(0).base;
    return { at: Number(base + (r.gpr(7) & mask)), length };
  }

  /** The physical address of a fw_cfg DMA command that this OUT starts. */
  #dma(info: StaticInfo): number | undefined {
    const r = this.#registers;
    if (
      info.bytes.at(-1) !== OUT_DX_EAX ||
      info.mnemonic !== Mnemonic.Out ||
      Number(r.gpr(2) & 0xffffn) !== FW_CFG_DMA_LOW
    )
      return undefined;
    const value = Number(r.gpr(0) & 0xffffffffn);
    return new DataView(Uint32Array.of(value).buffer).getUint32(0, false);
  }

  /** What QEMU's fw_cfg stored: the command's control word and the data. */
  #copyDma(at: number): void {
    const command = this.#qemu.gdb.readMemory(at, 16);
    const view = new DataView(command.buffer);
    this.#copyMemory(at, 16);
    const [length, address] = [view.getUint32(4, false), view.getUint32(12, false)];
    if (length > 0 && address > 0) this.#copyMemory(address, length);
  }

  #copyMemory(at: number, length: number): void {
    const bytes = this.#qemu.gdb.readMemory(at, length);
    for (let done = 0; done < length; ) {
      const gpa = at + done;
      const size = Math.min(length - done, 4096 - (gpa % 4096));
      this.#stepped.writePhysical(gpa, bytes.subarray(done, done + size));
      done += size;
    }
  }

  /** Take QEMU's results over. */
  #take(kind: string, qemu: StepRegisters): void {
    const entry = this.#taken.get(kind) ?? { times: 0, differed: 0 };
    this.#taken.set(kind, entry);
    entry.times++;
    let differs = false;
    for (const index of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
      if (this.#narrow(this.#registers.gpr(index)) === this.#narrow(qemu.gpr[index]!)) continue;
      differs = true;
      this.#registers.setGpr(index, qemu.gpr[index]!);
    }
    if (differs) entry.differed++;
    if (kind === 'MMIO') this.#registers.rflags = BigInt(qemu.eflags);
  }

  #narrow(value: bigint): bigint {
    return is64Bit(this.#registers) ? value : value & 0xffffffffn;
  }

  #compare(qemu: StepRegisters): string | undefined {
    this.#compared++;
    const r = this.#registers;
    const lines: string[] = [];
    for (const [i, name] of GPR_NAMES.entries()) {
      if (i >= 8 && !is64Bit(r)) break;
      const [ours, theirs] = [this.#narrow(r.gpr(i)), this.#narrow(qemu.gpr[i]!)];
      if (ours !== theirs) lines.push(`${name}: ours ${ours.toString(16)}, QEMU ${theirs.toString(16)}`);
    }
    if (r.rip !== qemu.rip) lines.push(`rip: ours ${r.rip.toString(16)}, QEMU ${qemu.rip.toString(16)}`);
    const flags = (Number(r.rflags) ^ qemu.eflags) & FLAGS & ~this.#loose;
    if (flags) lines.push(`eflags: ours ${Number(r.rflags).toString(16)}, QEMU ${qemu.eflags.toString(16)}`);
    for (let i = 0; i < 6; i++) {
      const { selector } = r.segment(i);
      if (selector !== qemu.selectors[i]) lines.push(`selector ${i}: ours ${selector}, QEMU ${qemu.selectors[i]}`);
    }
    return lines.length === 0 ? undefined : lines.join('\n');
  }

  #describe(mismatch: string): string {
    return `${mismatch}\nthe last instructions:\n${this.#history.map((line) => '  ' + line).join('\n')}`;
  }
}

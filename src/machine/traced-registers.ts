import type { Origin } from '../events/origin.ts';
import type { Position } from '../kvm/processor.ts';
import type { Registers, Segment } from '../x86/guest.ts';

type Table = Registers['gdtr'];

/** Who knows where a vCPU stands without looking. */
interface Positions {
  position(vcpu: number): Position;
  moved(vcpu: number, part: Partial<Position>): void;
}

/** Registers whose reads are facts. Writes pass: the hypervisor knows what it wrote. */
export class TracedRegisters implements Registers {
  private readonly processor: Positions;
  private readonly vcpu: number;
  private readonly real: Registers;
  private readonly origin: Origin;

  constructor(processor: Positions, vcpu: number, real: Registers, origin: Origin) {
    this.processor = processor;
    this.vcpu = vcpu;
    this.real = real;
    this.origin = origin;
  }

  private seen(name: string, value: bigint): bigint {
    this.origin.raise({ kind: 'sim:register_read', vcpu_id: this.vcpu, name, value });
    return value;
  }

  gpr(index: number): bigint {
    return this.seen(`gpr${index}`, this.real.gpr(index));
  }

  setGpr(index: number, value: bigint): void {
    this.real.setGpr(index, value);
  }

  get rip(): bigint {
    return this.processor.position(this.vcpu).rip;
  }

  set rip(value: bigint) {
    this.real.rip = value;
    this.processor.moved(this.vcpu, { rip: value });
  }

  get rflags(): bigint {
    return BigInt(this.processor.position(this.vcpu).rflags);
  }

  set rflags(value: bigint) {
    this.real.rflags = value;
    this.processor.moved(this.vcpu, { rflags: Number(this.real.rflags & 0xffff_ffffn) });
  }

  get cr0(): bigint {
    return this.seen('cr0', this.real.cr0);
  }

  set cr0(value: bigint) {
    this.real.cr0 = value;
  }

  get cr2(): bigint {
    return this.seen('cr2', this.real.cr2);
  }

  set cr2(value: bigint) {
    this.real.cr2 = value;
  }

  get cr3(): bigint {
    return this.seen('cr3', this.real.cr3);
  }

  set cr3(value: bigint) {
    this.real.cr3 = value;
  }

  get cr4(): bigint {
    return this.seen('cr4', this.real.cr4);
  }

  set cr4(value: bigint) {
    this.real.cr4 = value;
  }

  get cr8(): number {
    return this.processor.position(this.vcpu).cr8;
  }

  set cr8(value: number) {
    this.real.cr8 = value;
    this.processor.moved(this.vcpu, { cr8: value });
  }

  get efer(): bigint {
    return this.seen('efer', this.real.efer);
  }

  set efer(value: bigint) {
    this.real.efer = value;
  }

  get xcr0(): bigint {
    return this.seen('xcr0', this.real.xcr0);
  }

  set xcr0(value: bigint) {
    this.real.xcr0 = value;
  }

  segment(index: number): Segment {
    const segment = this.real.segment(index);
    this.origin.raise({ kind: 'sim:segment_read', vcpu_id: this.vcpu, index, ...segment });
    return segment;
  }

  setSegment(index: number, segment: Segment): void {
    this.real.setSegment(index, segment);
  }

  get gdtr(): Table {
    return this.seenTable('gdtr', this.real.gdtr);
  }

  set gdtr(table: Table) {
    this.real.gdtr = table;
  }

  get idtr(): Table {
    return this.seenTable('idtr', this.real.idtr);
  }

  set idtr(table: Table) {
    this.real.idtr = table;
  }

  private seenTable(name: string, table: Table): Table {
    this.seen(`${name}.base`, table.base);
    this.seen(`${name}.limit`, BigInt(table.limit));
    return table;
  }

  dr(index: number): bigint {
    return this.seen(`dr${index}`, this.real.dr(index));
  }

  setDr(index: number, value: bigint): void {
    this.real.setDr(index, value);
  }

  /** Which MSRs the processor keeps is fixed: only their values are facts. */
  msr(index: number): bigint | undefined {
    const value = this.real.msr(index);
    return value === undefined ? undefined : this.seen(`msr${index.toString(16)}`, value);
  }

  setMsr(index: number, value: bigint): boolean {
    const isKept = this.real.setMsr(index, value);
    this.seen(`set msr${index.toString(16)}`, isKept ? 1n : 0n);
    return isKept;
  }

  xsave(): Uint8Array {
    const area = this.real.xsave();
    this.origin.raise({ kind: 'sim:xsave_read', vcpu_id: this.vcpu, area });
    return area;
  }

  setXsave(area: Uint8Array): void {
    this.real.setXsave(area);
  }

  get interruptibility(): number {
    return this.processor.position(this.vcpu).interruptibility;
  }

  set interruptibility(value: number) {
    this.real.interruptibility = value;
    this.processor.moved(this.vcpu, { interruptibility: value });
  }

  get activity(): number {
    return Number(this.seen('activity', BigInt(this.real.activity)));
  }

  set activity(value: number) {
    this.real.activity = value;
  }
}

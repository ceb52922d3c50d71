import { FCS, FCW, FDP, FDS, FIP, FOP, FSW, FTW, X87_REGISTERS } from '../state/layout.ts';
import type { X87Unit } from './unit.ts';

/** What an assist supplies beside the register block: the parts of X87Unit that are not state. */
export type X87Surroundings = Omit<
  X87Unit,
  'fcw' | 'fsw' | 'ftw' | 'fop' | 'fip' | 'fdp' | 'fcs' | 'fds' | 'signExponent' | 'significand' | 'setRegister'
>;

class BlockUnit implements X87Unit {
  private readonly memory: DataView;
  private readonly around: X87Surroundings;
  readonly buffer: DataView;

  constructor(memory: DataView, around: X87Surroundings) {
    this.memory = memory;
    this.around = around;
    this.buffer = around.buffer;
  }

  get fcw(): number {
    return this.memory.getUint16(FCW, true);
  }
  set fcw(value: number) {
    this.memory.setUint16(FCW, value, true);
  }
  get fsw(): number {
    return this.memory.getUint16(FSW, true);
  }
  set fsw(value: number) {
    this.memory.setUint16(FSW, value, true);
  }
  get ftw(): number {
    return this.memory.getUint16(FTW, true);
  }
  set ftw(value: number) {
    this.memory.setUint16(FTW, value, true);
  }
  get fop(): number {
    return this.memory.getUint16(FOP, true);
  }
  set fop(value: number) {
    this.memory.setUint16(FOP, value, true);
  }
  get fip(): bigint {
    return this.memory.getBigUint64(FIP, true);
  }
  set fip(value: bigint) {
    this.memory.setBigUint64(FIP, value, true);
  }
  get fdp(): bigint {
    return this.memory.getBigUint64(FDP, true);
  }
  set fdp(value: bigint) {
    this.memory.setBigUint64(FDP, value, true);
  }
  get fcs(): number {
    return this.memory.getUint16(FCS, true);
  }
  set fcs(value: number) {
    this.memory.setUint16(FCS, value, true);
  }
  get fds(): number {
    return this.memory.getUint16(FDS, true);
  }
  set fds(value: number) {
    this.memory.setUint16(FDS, value, true);
  }

  signExponent(physical: number): number {
    return this.memory.getUint16(X87_REGISTERS + physical * 16 + 8, true);
  }
  significand(physical: number): bigint {
    return this.memory.getBigUint64(X87_REGISTERS + physical * 16, true);
  }
  setRegister(physical: number, signExponent: number, significand: bigint): void {
    this.memory.setBigUint64(X87_REGISTERS + physical * 16, significand, true);
    this.memory.setUint16(X87_REGISTERS + physical * 16 + 8, signExponent, true);
  }

  load(size: number): void {
    this.around.load(size);
  }
  store(size: number): void {
    this.around.store(size);
  }
  flags(): number {
    return this.around.flags();
  }
  setFlags(zpc: number): void {
    this.around.setFlags(zpc);
  }
  setAx(value: number): void {
    this.around.setAx(value);
  }
  get operand16(): boolean {
    return this.around.operand16;
  }
  get realFormat(): boolean {
    return this.around.realFormat;
  }
  get instructionPointer(): bigint {
    return this.around.instructionPointer;
  }
  get codeSelector(): number {
    return this.around.codeSelector;
  }
  get dataPointer(): bigint {
    return this.around.dataPointer;
  }
  get dataSelector(): number {
    return this.around.dataSelector;
  }
}

/** X87Unit over the engine's register block (layout.ts); `around` is asked anew at every use. */
export function blockUnit(memory: DataView, around: X87Surroundings): X87Unit {
  return new BlockUnit(memory, around);
}

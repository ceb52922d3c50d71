import { FCS, FCW, FDP, FDS, FIP, FOP, FSW, FTW, X87_REGISTERS } from '../layout.ts';
import type { X87Unit } from './unit.ts';

/** What an assist supplies beside the register block: the parts of X87Unit that are not state. */
export type X87Surroundings = Omit<
  X87Unit,
  'fcw' | 'fsw' | 'ftw' | 'fop' | 'fip' | 'fdp' | 'fcs' | 'fds' | 'signExponent' | 'significand' | 'setRegister'
>;

/** X87Unit over the engine's register block (layout.ts); `around` is asked anew at every use. */
export function blockUnit(memory: DataView, around: X87Surroundings): X87Unit {
  const state = blockState(memory);
  return Object.defineProperties({} as X87Unit, {
    ...Object.getOwnPropertyDescriptors(state),
    ...Object.getOwnPropertyDescriptors(forward(around)),
  });
}

type X87State = Omit<X87Unit, keyof X87Surroundings>;

function blockState(memory: DataView): X87State {
  return {
    get fcw() { return memory.getUint16(FCW, true); },
    set fcw(value) { memory.setUint16(FCW, value, true); },
    get fsw() { return memory.getUint16(FSW, true); },
    set fsw(value) { memory.setUint16(FSW, value, true); },
    get ftw() { return memory.getUint16(FTW, true); },
    set ftw(value) { memory.setUint16(FTW, value, true); },
    get fop() { return memory.getUint16(FOP, true); },
    set fop(value) { memory.setUint16(FOP, value, true); },
    get fip() { return memory.getBigUint64(FIP, true); },
    set fip(value) { memory.setBigUint64(FIP, value, true); },
    get fdp() { return memory.getBigUint64(FDP, true); },
    set fdp(value) { memory.setBigUint64(FDP, value, true); },
    get fcs() { return memory.getUint16(FCS, true); },
    set fcs(value) { memory.setUint16(FCS, value, true); },
    get fds() { return memory.getUint16(FDS, true); },
    set fds(value) { memory.setUint16(FDS, value, true); },
    signExponent: (at) => memory.getUint16(X87_REGISTERS + at * 16 + 8, true),
    significand: (at) => memory.getBigUint64(X87_REGISTERS + at * 16, true),
    setRegister: (at, signExponent, significand) => {
      memory.setBigUint64(X87_REGISTERS + at * 16, significand, true);
      memory.setUint16(X87_REGISTERS + at * 16 + 8, signExponent, true);
    },
  };
}

function forward(around: X87Surroundings): X87Surroundings {
  return {
    buffer: around.buffer,
    load: (size) => around.load(size),
    store: (size) => around.store(size),
    flags: () => around.flags(),
    setFlags: (zpc) => around.setFlags(zpc),
    setAx: (value) => around.setAx(value),
    get operand16() { return around.operand16; },
    get realFormat() { return around.realFormat; },
    get instructionPointer() { return around.instructionPointer; },
    get codeSelector() { return around.codeSelector; },
    get dataPointer() { return around.dataPointer; },
    get dataSelector() { return around.dataSelector; },
  };
}

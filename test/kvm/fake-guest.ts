import { BLANK_STOP } from '../../src/replay/tape-stops.ts';
import {
  type Emulated,
  type ExecutionControls,
  type GuestStop,
  NO_EXIT,
  type Registers,
  type Segment,
  type VmExit,
} from '../../src/x86/guest.ts';
import type { Engine } from '../../src/machine/parts.ts';
import { EPT_PAGE_WORDS, tablePages } from '../../src/memory/ept-pool.ts';

/** An exit with only what a test names. */
export function exitOf(reason: number, fields: Partial<VmExit> = {}): VmExit {
  return { ...NO_EXIT, reason, instructionLength: 2, ...fields };
}

export type Scripted = (guest: FakeGuest, vcpu: number) => Partial<GuestStop>;

/** A processor that does what the test's script says. */
export interface FakeGuest extends Engine {
  controls: ExecutionControls[];
  injected: number[];
  memory: Uint8Array;
  gprs: bigint[][];
}

function fakeRegisters(gprs: bigint[]): Registers {
  const segments: Segment[] = Array.from({ length: 8 }, () => ({ selector: 0, base: 0n, limit: 0xffff, access: 0x93 }));
  segments[1] = { selector: 0xf000, base: 0xffff0000n, limit: 0xffff, access: 0x9b };
  segments[7] = { selector: 0, base: 0n, limit: 0xffff, access: 0x8b };
  const drs = new Map<number, bigint>();
  const msrs = new Map<number, bigint>();
  let area = new Uint8Array(576);
  return {
    gpr: (index) => gprs[index]!,
    setGpr: (index, value) => {
      gprs[index] = value;
    },
    rip: 0xfff0n,
    rflags: 2n,
    cr0: 0x60000010n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0,
    efer: 0n,
    xcr0: 1n,
    segment: (index) => segments[index]!,
    setSegment: (index, segment) => {
      segments[index] = segment;
    },
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0xffff },
    dr: (index) => drs.get(index) ?? 0n,
    setDr: (index, value) => void drs.set(index, value),
    msr: (index) => msrs.get(index) ?? 0n,
    setMsr: (index, value) => {
      msrs.set(index, value);
      return true;
    },
    xsave: () => area,
    setXsave: (value) => {
      area = value.slice();
    },
    interruptibility: 0,
    activity: 0,
  };
}

const BLANK: GuestStop = { ...BLANK_STOP, why: 'exit', exit: exitOf(0), ticks: 1, rip: 0xfff0n };

export function createFakeGuest(script: Scripted[] = [], emulations: Emulated[] = []): FakeGuest {
  const registers: Registers[] = [];
  const memory = new Uint8Array(1 << 20);
  const guest: FakeGuest = {
    controls: [],
    injected: [],
    memory,
    gprs: [],
    regions: [],
    registers: (vcpu) => registers[vcpu]!,
    addVcpu: () => {
      guest.gprs.push(new Array<bigint>(16).fill(0n));
      registers.push(fakeRegisters(guest.gprs.at(-1)!));
      return registers.length - 1;
    },
    resetVcpu: () => undefined,
    setControls: (_vcpu, controls) => void guest.controls.push(controls),
    run: (vcpu, _budget, inject) => {
      guest.injected.push(inject.info);
      const next = script.shift();
      if (next === undefined) throw new Error('the script is over');
      const r = registers[vcpu]!;
      const stop = { ...BLANK, rip: r.rip, rflags: Number(r.rflags), interruptibility: r.interruptibility, cr8: r.cr8 };
      return { ...stop, ...next(guest, vcpu) };
    },
    emulate: () => emulations.shift() ?? { then: 'failed' },
    taskSwitch: () => ({ then: 'failed', vector: 0, errorCode: 0, address: 0n }),
    setGpr: (vcpu, index, value) => registers[vcpu]!.setGpr(index, value),
    setRip: (vcpu, rip) => {
      registers[vcpu]!.rip = rip;
    },
    skipInstruction: (vcpu, length) => {
      registers[vcpu]!.rip += BigInt(length);
    },
    readHost: (hva, length) => memory.subarray(hva, hva + length),
    writeHost: (hva, bytes) => memory.set(bytes, hva),
    eptWords: new Uint32Array(tablePages(2 ** 20) * EPT_PAGE_WORDS),
    invalidateEpt: () => undefined,
    translate: () => undefined,
  };
  return guest;
}

import type { Registers, Segment } from '../../x86/guest.ts';
import { plainUnit } from '../assists/fpu.ts';
import * as L from '../state/layout.ts';
import type { Core, RegisterFile } from '../core/core.ts';
import { putMxcsr, putX87Region, putXmmRegion, resetX87, takeX87Region, takeXmmRegion } from '../x87/fxsave.ts';

/** XSAVE area in the standard format without extended components. SDM Vol. 1, 13.4. */
const XSAVE_SIZE = 576;

type Registered = Pick<Core, 'memory' | 'state' | 'debug'>;

/** Registers of one vCPU over its block: `select` brings the block in, `changed` is called when modes may have. */
export function registersOf(p: Registered, select: () => void, changed: () => void): Registers {
  const access = { p, select, changed };
  const methods = { ...generalMethods(access), ...areaMethods(access) };
  return Object.defineProperties(methods, { ...properties(access) }) as unknown as Registers;
}

interface Access {
  readonly p: Registered;
  select(): void;
  changed(): void;
}

function generalMethods({ p, select, changed }: Access) {
  const { memory, state } = p;
  return {
    gpr(index: number): bigint {
      select();
      return state.gpr(index);
    },
    setGpr(index: number, value: bigint): void {
      select();
      state.setGpr(index, BigInt.asUintN(64, value));
    },
    segment(index: number): Segment {
      select();
      return {
        selector: state.selector(index),
        base: state.base(index),
        limit: state.limit(index),
        access: state.access(index),
      };
    },
    setSegment(index: number, s: Segment): void {
      select();
      state.setSegment(index, s.selector, s.base, s.limit, s.access);
      // CPL is SS.DPL in VMX. SDM Vol. 3, 25.4.1.
      if (index === 2) state.cpl = (s.access >>> 5) & 3;
      changed();
    },
    dr(index: number): bigint {
      select();
      return memory.read64(L.DR + 8 * index);
    },
    setDr(index: number, value: bigint): void {
      select();
      memory.write64(L.DR + 8 * index, value);
      p.debug.changed();
    },
  };
}

function areaMethods({ p, select, changed }: Access) {
  return {
    msr(index: number): bigint | undefined {
      select();
      const at = L.MSR_SLOTS[index];
      return at === undefined ? undefined : p.memory.read64(at);
    },
    setMsr(index: number, value: bigint): boolean {
      select();
      const at = L.MSR_SLOTS[index];
      if (at === undefined) return false;
      p.memory.write64(at, value);
      // A segment's base may be among them.
      changed();
      return true;
    },
    xsave(): Uint8Array {
      select();
      return saveArea(p);
    },
    setXsave(area: Uint8Array): void {
      select();
      restoreArea(p, area);
    },
  };
}

function properties(access: Access): PropertyDescriptorMap {
  return {
    rip: slot(access, L.RIP, false),
    rflags: flags(access),
    cr0: slot(access, L.CR0, true),
    cr2: slot(access, L.CR2, false),
    cr3: slot(access, L.CR3, true),
    cr4: slot(access, L.CR4, true),
    efer: slot(access, L.EFER, true),
    xcr0: slot(access, L.XCR0, false),
    cr8: word(access, L.CR8),
    interruptibility: word(access, L.INTERRUPTIBILITY),
    activity: word(access, L.ACTIVITY),
    gdtr: table(access, L.GDTR_BASE, L.GDTR_LIMIT),
    idtr: table(access, L.IDTR_BASE, L.IDTR_LIMIT),
  };
}

function slot({ p, select, changed }: Access, address: number, mode: boolean): PropertyDescriptor {
  return {
    get(): bigint {
      select();
      return p.memory.read64(address);
    },
    set(value: bigint): void {
      select();
      p.memory.write64(address, BigInt.asUintN(64, value));
      if (!mode) return;
      p.memory.write32(L.POINTERS_DUE, 1);
      changed();
    },
    enumerable: true,
  };
}

function word({ p, select }: Access, address: number): PropertyDescriptor {
  return {
    get(): number {
      select();
      return p.memory.read32(address);
    },
    set(value: number): void {
      select();
      p.memory.write32(address, value);
    },
    enumerable: true,
  };
}

function flags({ p, select, changed }: Access): PropertyDescriptor {
  return {
    get(): bigint {
      select();
      return BigInt(p.state.rflags);
    },
    set(value: bigint): void {
      select();
      p.state.rflags = Number(value & 0xffff_ffffn);
      changed();
    },
    enumerable: true,
  };
}

function table({ p, select }: Access, base: number, limit: number): PropertyDescriptor {
  return {
    get(): { base: bigint; limit: number } {
      select();
      return { base: p.memory.read64(base), limit: p.memory.read32(limit) };
    },
    set(value: { base: bigint; limit: number }): void {
      select();
      p.memory.write64(base, value.base);
      p.memory.write32(limit, value.limit);
    },
    enumerable: true,
  };
}

function saveArea(p: RegisterFile): Uint8Array {
  const area = new Uint8Array(XSAVE_SIZE);
  const view = new DataView(area.buffer);
  putX87Region(plainUnit(p), view, true);
  putMxcsr(p.memory.view, view);
  putXmmRegion(p.memory.view, view, 16);
  view.setBigUint64(512, 3n, true);
  return area;
}

function restoreArea(p: RegisterFile, area: Uint8Array): void {
  const copy = area.slice(0, XSAVE_SIZE);
  const view = new DataView(copy.buffer);
  const present = copy.length >= 520 ? view.getBigUint64(512, true) : 3n;
  if ((present & 1n) !== 0n) takeX87Region(plainUnit(p), view, true);
  else resetX87(plainUnit(p));
  p.memory.write32(L.MXCSR, view.getUint32(24, true));
  if ((present & 2n) !== 0n) takeXmmRegion(p.memory.view, view, 16);
  else p.memory.u8.fill(0, L.XMM, L.XMM + 256);
}

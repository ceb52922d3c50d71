import { unreachable } from '../../base/invariant.ts';
import { ACCESS } from '../mmu/access.ts';
import { GuestExit, GuestFault, MmioNeeded, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { EngineMemory } from '../state/memory.ts';
import type { Mmu } from '../mmu/mmu.ts';
import type { CpuState } from '../state/state.ts';
import { NOTHING, type Stop } from '../core/stop.ts';
import { SEG } from '../../x86/registers.ts';

/** Memory as the processor's TypeScript routines access it: linear addresses, checked and translated. */
export abstract class LinearAccess {
  readonly memory: EngineMemory;
  readonly state: CpuState;
  abstract readonly mmu: Mmu;
  /** What stopped the handlers, or the access at hand. */
  stop: Stop = NOTHING;

  constructor(memory: EngineMemory, state: CpuState) {
    this.memory = memory;
    this.state = state;
  }

  /** The reason of the last failed memory access, thrown. */
  private throwStop(): never {
    const { stop } = this;
    this.stop = NOTHING;
    switch (stop.kind) {
      case 'fault':
        throw new GuestFault(stop.vector, stop.error);
      case 'exit':
        throw new GuestExit(stop.exit);
      case 'mmio':
        throw new MmioNeeded(stop.gpa, stop.length);
      case 'none':
        throw new GuestFault(VECTOR.GP, 0);
      default:
        return unreachable(stop);
    }
  }

  private pointer(linear: bigint, size: number, access: number): number {
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    const address = this.mmu.translate(low, high, size | (access << 8));
    if (address === 0) this.throwStop();
    return address;
  }

  read(linear: bigint, size: 1 | 2 | 4): number {
    const at = this.pointer(linear, size, ACCESS.read);
    const { view } = this.memory;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }

  read64(linear: bigint): bigint {
    return this.memory.view.getBigUint64(this.pointer(linear, 8, ACCESS.read), true);
  }

  readValue(linear: bigint, size: number): bigint {
    return size === 8 ? this.read64(linear) : BigInt(this.read(linear, size as 1 | 2 | 4));
  }

  readBytes(linear: bigint, size: number): Uint8Array {
    const at = this.pointer(linear, size, ACCESS.read);
    return this.memory.u8.slice(at, at + size);
  }

  writeValue(linear: bigint, size: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.writeBytes(linear, bytes.subarray(0, size));
  }

  writeBytes(linear: bigint, bytes: Uint8Array): void {
    const at = this.pointer(linear, bytes.length, ACCESS.write);
    this.memory.u8.set(bytes, at);
    if (at === L.BOUNCE) this.mmu.commit();
  }

  /** Fault now rather than later: the range must be writable. */
  probeWrite(linear: bigint, size: number): void {
    this.mmu.probing = true;
    try {
      this.pointer(linear, size, ACCESS.readWrite);
    } finally {
      this.mmu.probing = false;
    }
  }

  /** Run `body` with supervisor rights, as the processor does for descriptor tables and the TSS. */
  asSystem<T>(body: () => T): T {
    const before = this.mmu.system;
    this.mmu.system = true;
    try {
      return body();
    } finally {
      this.mmu.system = before;
    }
  }

  /** Linear address of `offset` in a segment, checked. SDM Vol. 3, 5.3. */
  linear(segment: number, offset: bigint, size: number, write: boolean): bigint {
    if (this.state.code64) return BigInt.asUintN(64, offset + (segment >= SEG.FS ? this.state.base(segment) : 0n));
    const range = L.SEG_RANGE + 32 * segment + (write ? 16 : 0);
    const last = offset + BigInt(size) - 1n;
    if (offset < this.memory.read64(range) || last > this.memory.read64(range + 8)) {
      throw new GuestFault(segment === SEG.SS ? VECTOR.SS : VECTOR.GP, 0);
    }
    return (offset + this.state.base(segment)) & 0xffff_ffffn;
  }

  /** `count` 64-bit words of guest-physical memory, read as the processor reads paging structures. */
  physicalRead64(gpa: bigint, count: number): bigint[] {
    const words: bigint[] = [];
    for (let i = 0; i < count; i++) {
      const at = Number(gpa) + 8 * i;
      const page = this.mmu.second.page(at, 1);
      words.push(page < 0 ? 0n : this.memory.read64(L.HOST_MEMORY + page + (at % 4096)));
    }
    return words;
  }
}

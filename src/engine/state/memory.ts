import { invariant } from '../../base/invariant.ts';
import * as L from './layout.ts';
import type { LinearMemory } from '../wasm/compiled.ts';

/** Most pages of 64 KiB: one less than WebAssembly allows, so that an address just past the end has 32 bits, too. */
const PAGES_MAX = 65535;

/**
 * The multiple of 8 at or below an address. Addresses are unsigned and reach beyond 2 GiB, where JavaScript's bit
 * operators give negative numbers: only the low bits, and shifts by `>>>`, may be taken of one.
 */
export const alignedDown = (address: number): number => address - (address & 7);

/** Typed views of the engine's one memory, and the accessors everything in the engine uses. */
export class EngineMemory {
  readonly memory: LinearMemory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly view: DataView;
  readonly hostBytes: number;

  /** `hostBytes`: size of the host memory (guest RAM and ROM), a multiple of 64 KiB. */
  constructor(hostBytes: number) {
    this.hostBytes = hostBytes;
    const pages = (L.HOST_MEMORY + hostBytes) / 65536;
    invariant(pages <= PAGES_MAX, 'host memory fits in 32-bit addresses', { hostBytes });
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = this.memory;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
    for (let byte = 0; byte < 256; byte++) this.u8[L.PARITY + byte] = evenParity(byte);
  }

  read32(address: number): number {
    return this.u32[address >>> 2] as number;
  }
  write32(address: number, value: number): void {
    this.u32[address >>> 2] = value;
  }
  read64(address: number): bigint {
    return this.u64[address >>> 3] as bigint;
  }
  write64(address: number, value: bigint): void {
    this.u64[address >>> 3] = value;
  }
}

function evenParity(byte: number): number {
  let bits = byte;
  bits ^= bits >> 4;
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  return (bits & 1) ^ 1;
}

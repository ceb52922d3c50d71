import { CR4, DR7 } from '../../x86/registers.ts';
import * as L from './layout.ts';
import type { EngineMemory } from './memory.ts';

/** With CR4.DE, R/W 10 in DR7 stands for I/O. */
const AT_IO = 2;
const LENGTHS = [1, 2, 8, 4] as const;

/** DR6 bits of the breakpoints that an access to ports meets. SDM Vol. 3, 18.2.4 and 18.2.5. */
export function ioBreakpoints(memory: EngineMemory, port: number, size: number): number {
  const dr7 = memory.read32(L.DR7);
  if ((dr7 & DR7.ENABLES) === 0 || (memory.read32(L.CR4) & CR4.DE) === 0) return 0;
  let hits = 0;
  for (let i = 0; i < 4; i++) {
    const isEnabled = ((dr7 >>> (2 * i)) & 3) !== 0 && ((dr7 >>> (16 + 4 * i)) & 3) === AT_IO;
    if (isEnabled && overlaps(memory.read64(L.DR + 8 * i), LENGTHS[(dr7 >>> (18 + 4 * i)) & 3] ?? 1, port, size)) {
      hits |= 1 << i;
    }
  }
  return hits;
}

/** The breakpoint's range is aligned to its length; ports are extended with zeros. */
function overlaps(address: bigint, length: number, port: number, size: number): boolean {
  const start = address & ~BigInt(length - 1);
  return start < BigInt(port + size) && BigInt(port) < start + BigInt(length);
}

/** Any breakpoint is enabled: a repeated instruction may trap after each of its iterations. */
export const hasBreakpoints = (memory: EngineMemory): boolean => (memory.read32(L.DR7) & DR7.ENABLES) !== 0;

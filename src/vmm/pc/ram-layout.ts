import type { RamLayout } from '../memory/ram-layout.ts';

/** QEMU's pc machine: up to 3.5 GiB all memory is low; from there on 3 GiB is, the rest starts at 4 GiB. */
export function ramLayout(total: number): RamLayout {
  const below4g = total >= LOWMEM_LIMIT ? LOWMEM_ALIGNED : total;
  return { total, below4g, above4g: total - below4g };
}

const LOWMEM_LIMIT = 0xe0000000;
const LOWMEM_ALIGNED = 0xc0000000;

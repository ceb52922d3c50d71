/** QEMU's bitmap of written pages, as its own devices add to it. QEMU 7.2: softmmu/physmem.c. */
import type { Gpa } from '../../base/units.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import { bitmapOf, hasPage } from '../../memory/page-bits.ts';
import type { Writer } from '../dirty/state.ts';
import type { VmmState } from '../state.ts';

/** Who acts on a machine, as far as pages are concerned. */
interface Acting {
  readonly state: VmmState;
  raise(event: MachineEvent): number;
}

const PAGE = 4096;

/** Memory is logged now. */
export const isLogging = ({ state: { dirty } }: Acting): boolean => dirty !== undefined && dirty.tracking !== 0;

/** Pages that somebody found, in order; of a worker of the kernel also in which client's log. */
export function tellPages(machine: Acting, by: Writer, pages: readonly number[], client = ''): void {
  const found = bitmapOf(pages);
  if (found === undefined) return;
  machine.raise({ kind: 'sim:dirty_pages', by, client, gfn: found.first, bitmap: found.bitmap });
}

/** A device of QEMU's has written: invalidate_and_set_dirty. */
export function noteWritten(machine: Acting, gpa: Gpa, length: number): void {
  const { dirty } = machine.state;
  if (dirty === undefined || length === 0) return;
  const known = dirty.pages.qemu;
  const pages: number[] = [];
  for (let page = Math.floor(gpa / PAGE); page * PAGE < gpa + length; page += 1) {
    if (!hasPage(known, page)) pages.push(page);
  }
  tellPages(machine, 'qemu', pages);
}

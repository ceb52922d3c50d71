/** The guest's memory as vhost is told of it. QEMU 7.2: vhost_commit, vhost_region_add_section. */
import type { Gpa, Hva } from '../../base/units.ts';
import type { Machine } from '../board/machine.ts';
import { clientsOf } from '../net/clients.ts';
import { vhostIoctl } from './ioctl.ts';
import { vhostOf } from './served.ts';
import type { VhostRegion } from './state.ts';

/** Memory that can be written; neighbours that QEMU has side by side are one. */
export function memoryTable({ board }: Machine): VhostRegion[] {
  const table: VhostRegion[] = [];
  for (const { start: gpa, size, leaf, offset, readonly } of board.memoryView) {
    if (leaf.hva === undefined || leaf.kind !== 'ram' || readonly) continue;
    const hva = leaf.hva + offset;
    const last = table.at(-1);
    if (last !== undefined && last.gpa + last.size === gpa && last.hva + last.size === hva) {
      table[table.length - 1] = { ...last, size: last.size + size };
    } else table.push({ gpa, size, hva });
  }
  return table;
}

export const tableBytes = (table: readonly VhostRegion[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(table.flatMap(({ gpa, size, hva }) => [gpa, size, hva].map(BigInt))).buffer);

/** Regions have moved: who serves rings is told. */
export function tellMemory(machine: Machine): void {
  for (const tap of clientsOf(machine)) {
    if (tap.vhost === undefined || !vhostOf(machine, tap).vrings.some(({ hasBackend }) => hasBackend)) continue;
    const table = memoryTable(machine);
    if (isSame(table, vhostOf(machine, tap).table)) continue;
    vhostIoctl(machine, tap, 'VHOST_SET_MEM_TABLE', { more: tableBytes(table) });
  }
}

const isSame = (a: readonly VhostRegion[], b: readonly VhostRegion[]): boolean =>
  a.length === b.length &&
  a.every(({ gpa, size, hva }, at) => gpa === b[at]!.gpa && size === b[at]!.size && hva === b[at]!.hva);

/** Where QEMU has so many bytes of memory; undefined: they do not lie in one piece of it. */
export function mapped(machine: Machine, gpa: Gpa, length: number): Hva | undefined {
  const region = memoryTable(machine).find((each) => gpa >= each.gpa && gpa + length <= each.gpa + each.size);
  return region === undefined ? undefined : region.hva + (gpa - region.gpa);
}

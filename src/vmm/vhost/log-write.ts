/** The log of what the kernel's half writes into a guest's memory. Linux 6.1: log_write, log_used of vhost.c. */
import type { Gpa } from '../../base/units.ts';
import { hasPage } from '../../memory/page-bits.ts';
import type { Machine } from '../board/machine.ts';
import type { NetClientConfig } from '../config.ts';
import { netOf } from '../net/clients.ts';
import { FEATURE, has } from './features.ts';

interface Logged {
  readonly machine: Machine;
  readonly tap: NetClientConfig;
  readonly queue: number;
}

const PAGE = 4096;

/** Pages of a write are in the log: told if one of them was not yet. */
function logWrite({ machine, tap, queue }: Logged, addr: Gpa, len: number): void {
  const { log } = netOf(machine).vhosts![tap.name]!;
  if (log === undefined || len === 0) return;
  for (let page = Math.floor(addr / PAGE); page * PAGE < addr + len; page += 1) {
    if (hasPage(log.pages, page)) continue;
    machine.raise({ kind: 'sim:vhost_log_write', client: tap.name, queue, addr, len });
    return;
  }
}

/** A frame was written into a driver's buffers: vhost_log_write. */
export function logBuffers(served: Logged, pieces: readonly { readonly gpa: Gpa; readonly length: number }[]): void {
  const { features } = netOf(served.machine).vhosts![served.tap.name]!;
  if (!has(features, FEATURE.logAll)) return;
  for (const { gpa, length } of pieces) logWrite(served, gpa, length);
}

/** So many bytes of a used ring were written. */
export function logUsed(served: Logged, offset: number, len: number): void {
  const { isLogged, log } = netOf(served.machine).vhosts![served.tap.name]!.vrings[served.queue]!;
  if (isLogged) logWrite(served, log + offset, len);
}

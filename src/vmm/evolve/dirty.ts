/** What facts do to what QEMU knows of written pages. */
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { addPages, pagesOfBitmap, removePages } from '../../memory/page-bits.ts';
import type { MachineConfig } from '../config.ts';
import { type DirtyState, STATUSES, WRITERS } from '../dirty/state.ts';
import type { VmmState } from '../state.ts';

type Vmm = Draft<VmmState>;

function dirtyOf({ dirty }: Vmm): Draft<DirtyState> {
  invariant(dirty !== undefined, 'somebody asked for a measurement', {});
  return dirty;
}

const nothing = (): Draft<DirtyState>['pages'] => ({ kvm: {}, qemu: {}, vhost: {} });

/** sim:dirty_rate_asked. What was found before is forgotten. */
export function asked(vmm: Vmm, { seconds }: EventOf<'sim:dirty_rate_asked'>): void {
  const { tracking = 0, total = 0 } = vmm.dirty ?? {};
  const measurement = { seconds, start: 0, due: Number.POSITIVE_INFINITY, waits: 0, rate: -1, first: total };
  vmm.dirty = { tracking, total, status: 'unstarted', ...measurement, pages: nothing() };
}

/** global_dirty_changed. */
export function trackingChanged(vmm: Vmm, { bitmask }: EventOf<'global_dirty_changed'>): void {
  dirtyOf(vmm).tracking = bitmask;
}

/** dirtyrate_set_state. */
export function statusSet(vmm: Vmm, { new_state: name }: EventOf<'dirtyrate_set_state'>): void {
  const status = STATUSES.find((each) => each === name);
  if (status !== undefined) dirtyOf(vmm).status = status;
}

/** dirtyrate_calculate. */
export function rateKnown(vmm: Vmm, { dirtyrate }: EventOf<'dirtyrate_calculate'>): void {
  dirtyOf(vmm).rate = dirtyrate;
}

/** sim:dirty_rate_waits: what was found up to now does not count. */
export function waits(
  vmm: Vmm,
  { start, due }: EventOf<'sim:dirty_rate_waits'>,
  _config: MachineConfig,
  { seq }: Stamped,
): void {
  const dirty = dirtyOf(vmm);
  Object.assign(dirty, { start, due, waits: seq, first: dirty.total, pages: nothing() });
}

/** sim:dirty_pages. What is found in the log of a worker of the kernel is taken from there. */
export function pagesFound(vmm: Vmm, { by, client, gfn, bitmap }: EventOf<'sim:dirty_pages'>): void {
  const dirty = dirtyOf(vmm);
  const writer = WRITERS.find((each) => each === by);
  if (writer === undefined) return;
  const pages = pagesOfBitmap(gfn, bitmap);
  addPages(dirty.pages[writer], pages);
  if (writer === 'kvm') dirty.total += pages.length;
  const { vhosts = {} } = vmm.net ?? {};
  const log = Object.hasOwn(vhosts, client) ? vhosts[client]!.log : undefined;
  if (writer === 'vhost' && log !== undefined) removePages(log.pages, pages);
}

/**
 * How many pages a guest writes in a time. QEMU 7.2: migration/dirtyrate.c, by the dirty bitmap. What is a thread of
 * its own there, which waits, is the main loop here.
 */
import { MAIN_LOOP } from '../../events/stamped.ts';
import type { Machine } from '../board/machine.ts';
import { isStopped } from '../drives/errors.ts';
import { clearLog, startLog, stopLog, syncLog } from './log.ts';

const NS_PER_SECOND = 1_000_000_000;
const PAGE = 4096;
const MIB = 1 << 20;

/** Begin, as the state says for how long: qmp_calc_dirty_rate and the first half of its thread. */
export function measureDirtyRate(machine: Machine): void {
  machine.raise({ kind: 'dirtyrate_set_state', new_state: 'unstarted' });
  machine.raise({ kind: 'dirtyrate_set_state', new_state: 'measuring' });
  startLog(machine);
  // KVM says at first that all is dirty: what it says then is cleared, and pages count from here on.
  clearLog(machine, syncLog(machine));
  const start = machine.now();
  const { seconds } = machine.state.dirty!;
  machine.raise({ kind: 'sim:dirty_rate_waits', start, due: start + seconds * NS_PER_SECOND });
}

/** A measurement is over, if its time has come. False: none is. */
export function dirtyRateDue(machine: Machine): boolean {
  const { dirty } = machine.state;
  if (dirty?.status !== 'measuring' || dirty.due > machine.now() || isStopped(machine)) return false;
  finish(machine.from(machine.origin.by(MAIN_LOOP).after(dirty.waits)));
  return true;
}

function finish(machine: Machine): void {
  syncLog(machine);
  stopLog(machine);
  const { total, first, seconds } = machine.state.dirty!;
  const dirtyrate = Math.floor(Math.floor(((total - first) * PAGE) / MIB) / seconds);
  machine.raise({ kind: 'dirtyrate_calculate', dirtyrate });
  machine.raise({ kind: 'dirtyrate_set_state', new_state: 'measured' });
}

import type { DISK_FACTS } from '../../events/disk.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import * as drives from '../../vmm/evolve/drives.ts';
import * as run from '../run.ts';
import { changes, type Rows, vmm } from '../row.ts';

export const DISK_ROWS: Rows<keyof typeof DISK_FACTS> = {
  'sim:disk_submitted': changes(
    ['drives', 'devices'],
    vmm((state, event, _config, stamped) => drives.submitted(state, event, stamped)),
    vmm(deviceFact(({ dev }) => dev)),
  ),
  'sim:disk_delayed': changes(['chance'], run.diskDelayed),
  'sim:disk_faulted': changes(['drives'], vmm(drives.faulted)),
  'sim:disk_error': changes(['drives'], vmm(drives.failed)),
  'sim:disk_dropped': changes(['drives'], vmm(drives.dropped)),
  'sim:disk_completed': changes(['drives', 'devices'], vmm(drives.completed), vmm(deviceFact(({ dev }) => dev))),
  'sim:disk_written': changes(['drives'], vmm(drives.changed)),
  'sim:disk_resized': changes(['drives'], vmm(drives.resized)),
  'sim:disk_cleared': changes(['drives'], vmm(drives.changed)),
  'sim:disk_flushed': changes(['drives'], vmm(drives.flushed)),
};

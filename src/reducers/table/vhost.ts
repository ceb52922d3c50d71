import type { VHOST_FACTS } from '../../events/vhost.ts';
import * as vhost from '../../vmm/evolve/vhost.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';
import * as threads from '../threads.ts';

export const VHOST_ROWS: Rows<keyof typeof VHOST_FACTS> = {
  'sim:vhost_ioctl': changes(['net', 'schedule'], vmm(vhost.asked), threads.backendSet),
  vhost_dev_start: tells,
  vhost_dev_stop: tells,
  'sim:vhost_refused': tells,
  'sim:vhost_get_desc': changes(['net'], vmm(vhost.taken)),
  'sim:vhost_add_used': changes(['net'], vmm(vhost.givenBack)),
  'sim:vhost_notify': changes(['net'], vmm(vhost.notifySet)),
  'sim:vhost_log_write': changes(['net'], vmm(vhost.logged)),
  'sim:vhost_error': changes(['net'], vmm(vhost.failed)),
  'sim:vhost_ran': changes(['net', 'schedule'], vmm(vhost.ran), threads.vhostRan),
};

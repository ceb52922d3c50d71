/** `TMPDIR=/dev/shm npx tsx test/oracle/devices/rtl8139/record.ts [NAME]` writes ../recorded/rtl8139/*.txt. */
import { record } from '../nic/record.ts';
import { RTL8139 } from './scenes.ts';

await record(RTL8139);

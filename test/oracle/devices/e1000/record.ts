/** `TMPDIR=/dev/shm npx tsx test/oracle/devices/e1000/record.ts [NAME]` writes ../recorded/e1000/*.txt. */
import { record } from '../nic/record.ts';
import { E1000 } from './scenes.ts';

await record(E1000);

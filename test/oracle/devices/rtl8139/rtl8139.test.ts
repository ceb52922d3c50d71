import { asRecorded } from '../nic/compare.ts';
import { RTL8139 } from './scenes.ts';

asRecorded(RTL8139, 4);

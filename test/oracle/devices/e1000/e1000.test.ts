import { asRecorded } from '../nic/compare.ts';
import { E1000 } from './scenes.ts';

asRecorded(E1000, 7);

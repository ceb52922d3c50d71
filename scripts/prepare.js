// npm's `prepare`: a clone whose packages have just been installed is built. What `prepack` has built is left alone.
import { ensureBuilt } from './setup.js';

ensureBuilt();

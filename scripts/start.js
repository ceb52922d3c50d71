// `npm start`: everything a fresh clone needs, then the tour.
import { ensureReady, run } from './setup.js';

ensureReady();
process.exitCode = run(process.execPath, ['bin/retrovisor.js', 'tour', ...process.argv.slice(2)]);

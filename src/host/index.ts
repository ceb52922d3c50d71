/** The package's own door: open a machine, watch it as streams, read traces, stand in them. */
export { openSession } from './open-session.ts';
export type { Session, SessionEnd, SessionFigures, SessionPause } from './session.ts';
export { runOptions } from '../debugger/cli/run-arguments.ts';
export { debugRun, type RunDebugger } from './debug-run.ts';

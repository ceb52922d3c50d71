import { Problem } from '../base/problem.ts';
import type { RunOptions } from '../debugger/cli/run-options.ts';
import type { Session } from './session.ts';

/** Where what the guest prints goes. */
export interface OutputTo {
  serial(line: number, bytes: Uint8Array): void;
  debugcon(bytes: Uint8Array): void;
}

/** Build the machine the options describe, recorded, ready to run. */
export async function openSession(_options: RunOptions, _output: OutputTo): Promise<Session> {
  throw new Problem('The machine is not assembled yet.');
}

import { Problem } from '../../base/problem.ts';

/** What may differ from the recorded run: where the images lie now. */
export interface ReplayOptions {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly bios?: string;
  readonly console?: boolean;
}

/** `retrovisor replay`: run a trace again and compare. Resolves to the process status. */
export async function replay(_path: string, _options: ReplayOptions): Promise<number> {
  throw new Problem('The machine is not assembled yet.');
}

/** `retrovisor fold`: rebuild state from events alone. Resolves to the process status. */
export async function fold(_path: string): Promise<number> {
  throw new Problem('The machine is not assembled yet.');
}

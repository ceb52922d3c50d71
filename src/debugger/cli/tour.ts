import { Problem } from '../../base/problem.ts';

/** `retrovisor tour`: our own guest, recorded, shown, replayed in a second process. Resolves to the status. */
export async function tour(): Promise<number> {
  throw new Problem('The machine is not assembled yet.');
}

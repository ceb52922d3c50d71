import { Problem } from '../../base/problem.ts';

/** A chunk whose checksums are right and whose content cannot be. */
export const contradiction = (what: string): Problem =>
  new Problem(`A chunk of the trace contradicts itself: it holds ${what}.`);

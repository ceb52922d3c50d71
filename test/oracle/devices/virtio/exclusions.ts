/** Lines of transcripts that are not compared, and why. */
import { MOST_RANDOM_BYTES } from '../../../../src/devices/virtio-rng/index.ts';

interface Exclusion {
  readonly why: string;
  /** Of scenes whose title has this in it. */
  readonly title: string;
  /** The line, or the one a complaint stands under, with how many lines behind it. */
  readonly line: RegExp;
  readonly behind: number;
}

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    why: 'descriptors where there is no memory: QEMU reads zeroes or something else, and breaks in two ways',
    title: ' places',
    line: /^desc at (7f000000|10000000000):/,
    behind: 2,
  },
  {
    why: `a guest could ask for 4 GiB of entropy at once: here a buffer gets ${MOST_RANDOM_BYTES} bytes`,
    title: ' requests',
    line: /^(65537|200000|40000\+40000, 7):/,
    behind: 0,
  },
  {
    why: `the same: buffers of more than ${MOST_RANDOM_BYTES} bytes`,
    title: 'rng-pci, malformed rings',
    line: /^lengths, 1 MiB/,
    behind: 0,
  },
];

/** Which lines of a transcript are excluded. */
export function excluded(title: string, lines: readonly string[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { title: part, line, behind } of EXCLUSIONS) {
    if (!title.includes(part)) continue;
    for (const [at, text] of lines.entries()) {
      if (!line.test(text)) continue;
      for (let more = 0; more <= behind; more++) found.add(at + more);
    }
  }
  return found;
}

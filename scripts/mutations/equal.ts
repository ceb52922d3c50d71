import type { Site } from './sites.ts';

/** Changes after which the program does the same, each with the reason. */
interface Equal {
  readonly file: string;
  readonly within: string;
  readonly operator: string;
  /** What is changed. */
  readonly old: string;
  readonly why: string;
}

const EQUAL: readonly Equal[] = [
  {
    file: 'src/reducers/table/kvm.ts',
    within: 'KVM_ROWS.kvm_pio',
    operator: 'wrong field',
    old: 'length',
    why: 'only tells a reader what to skip: what is not skipped there changes nothing either',
  },
];

/** Why a change changes nothing; undefined: it does. */
export function whyEqual({ file, within, operator, old }: Site): string | undefined {
  const equal = EQUAL.find(
    (each) => each.file === file && each.within === within && each.operator === operator && each.old === old,
  );
  return equal?.why;
}

import { describe, expect, test } from 'vitest';
import { VMCS_FIELDS } from '../../../src/kvm/vmcs/layout.ts';

/** Bits 11:10 of an encoding say what kind of field it is. SDM Vol. 3, Table 25-21. */
const TYPE = { guest: 2, host: 3, execution: 0, exitControls: 0, entryControls: 0, exitInformation: 1 } as const;

describe.each(Object.keys(TYPE) as (keyof typeof TYPE)[])('%s fields', (group) => {
  const fields = Object.entries(VMCS_FIELDS[group]);

  test.each(fields)('%s has an encoding of its group', (_, encoding) => {
    expect((encoding >> 10) & 3).toBe(TYPE[group]);
    expect(encoding & 1, 'the full field, not its high half').toBe(0);
  });
});

test('no two fields share an encoding', () => {
  const encodings = Object.values(VMCS_FIELDS).flatMap((group) => Object.values(group));
  expect(new Set(encodings).size).toBe(encodings.length);
});

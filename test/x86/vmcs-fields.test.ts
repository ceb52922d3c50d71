import { describe, expect, test } from 'vitest';
import { FIELDS, VMCS_FIELDS } from '../../src/x86/vmcs-fields.ts';

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

/** Read off the manual's tables B-1 to B-17, which stand apart by width. */
test.each([
  ['GUEST_TR_SELECTOR', 16],
  ['VIRTUAL_PROCESSOR_ID', 16],
  ['EPT_POINTER', 64],
  ['GUEST_PHYSICAL_ADDRESS', 64],
  ['VM_EXIT_REASON', 32],
  ['HOST_IA32_SYSENTER_CS', 32],
  ['EXIT_QUALIFICATION', 'natural'],
  ['HOST_RIP', 'natural'],
] as const)('%s has %s bits', (name, width) => {
  expect(FIELDS[name].width).toBe(width);
});

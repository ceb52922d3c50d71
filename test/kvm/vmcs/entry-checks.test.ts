import { expect, test } from 'vitest';
import { checkEntry } from '../../../src/kvm/vmcs/entry-checks.ts';
import { HOST_STATE } from '../../../src/kvm/vmcs/host-state.ts';
import type { FieldName } from '../../../src/x86/vmcs-fields.ts';

type Fields = Readonly<Partial<Record<FieldName, bigint>>>;

/** A VMCS nobody keeps but this test: a 64-bit guest that may be entered. */
const GOOD: Fields = {
  ...HOST_STATE,
  PIN_BASED_VM_EXEC_CONTROL: 0x3fn,
  CPU_BASED_VM_EXEC_CONTROL: 0xb5a06dfan,
  SECONDARY_VM_EXEC_CONTROL: 0xa2n,
  VIRTUAL_PROCESSOR_ID: 1n,
  EPT_POINTER: 0x1000005en,
  TPR_THRESHOLD: 0n,
  VM_ENTRY_CONTROLS: 0xd3ffn,
  GUEST_CR0: 0x80050033n,
  GUEST_CR4: 0x2020n,
  GUEST_IA32_EFER: 0xd01n,
  GUEST_RFLAGS: 2n,
  GUEST_TR_AR_BYTES: 0x8bn,
  GUEST_GDTR_LIMIT: 0xffffn,
  GUEST_IDTR_LIMIT: 0xfffn,
};

const judged = (changed: Fields) => checkEntry((field) => changed[field] ?? GOOD[field] ?? 0n);

test('a VMCS without fault is entered', () => {
  expect(judged({})).toBeUndefined();
});

test.each<[string, Fields]>([
  ['pin-based reserved bits', { PIN_BASED_VM_EXEC_CONTROL: 0x2fn }],
  ['processor-based reserved bits', { CPU_BASED_VM_EXEC_CONTROL: 0xb5a06df8n }],
  ['unrestricted guest without EPT', { SECONDARY_VM_EXEC_CONTROL: 0xa0n }],
  ['VPID 0', { VIRTUAL_PROCESSOR_ID: 0n }],
  ['EPT pointer', { EPT_POINTER: 0x10000056n }],
  ['TPR threshold', { TPR_THRESHOLD: 16n }],
])('controls: %s is VMfail with error 7', (what, changed) => {
  expect(judged(changed)).toEqual({ kind: 'fail', error: 7, what });
});

test.each<[string, Fields]>([
  ['host CR0', { HOST_CR0: 0x50033n }],
  ['host CR4', { HOST_CR4: 0x20n }],
  ['host EFER', { HOST_IA32_EFER: 0x100n }],
  ['host selector: RPL or TI', { HOST_GS_SELECTOR: 3n }],
  ['host CS or TR is null', { HOST_TR_SELECTOR: 0n }],
  ['host address is not canonical', { HOST_GDTR_BASE: 0x8000_0000_0000n }],
])('host state: %s is VMfail with error 8', (what, changed) => {
  expect(judged(changed)).toEqual({ kind: 'fail', error: 8, what });
});

test.each<[string, Fields]>([
  ['CR0: PG without PE', { GUEST_CR0: 0x80050032n }],
  ['CR4: VMXE clear', { GUEST_CR4: 0x20n }],
  ['IA-32e mode without paging or PAE', { GUEST_CR4: 0x2000n }],
  ['CR4: PCIDE outside IA-32e mode', { VM_ENTRY_CONTROLS: 0xd1ffn, GUEST_CR4: 0x22020n }],
  ['EFER: LMA is not the entry control', { GUEST_IA32_EFER: 0x900n }],
  ['EFER: LMA is not LME', { GUEST_IA32_EFER: 0xc01n }],
  ['RFLAGS reserved bits', { GUEST_RFLAGS: 0n }],
  ['RFLAGS reserved bits', { GUEST_RFLAGS: 0x8002n }],
  ['RFLAGS: VM', { GUEST_RFLAGS: 0x20002n }],
  ['TR', { GUEST_TR_AR_BYTES: 0x83n }],
  ['TR', { GUEST_TR_AR_BYTES: 0x1008bn }],
  ['descriptor table limit', { GUEST_IDTR_LIMIT: 0x1_0000n }],
  ['descriptor table limit', { GUEST_GDTR_LIMIT: 0x8000_0000n }],
])('guest state: %s is exit 33', (what, changed) => {
  expect(judged(changed)).toEqual({ kind: 'exit', reason: 0x8000_0021, what });
});

test('controls are judged before the host, the host before the guest', () => {
  const all: Fields = { VIRTUAL_PROCESSOR_ID: 0n, HOST_CR0: 0n, GUEST_RFLAGS: 0n };
  expect(judged(all)?.what).toBe('VPID 0');
  expect(judged({ ...all, VIRTUAL_PROCESSOR_ID: 1n })?.what).toBe('host CR0');
});

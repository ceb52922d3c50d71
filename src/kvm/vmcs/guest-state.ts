import type { Registers } from '../../x86/guest.ts';
import { GPR, SEG } from '../../x86/registers.ts';
import type { FieldName } from '../../x86/vmcs-fields.ts';

type Reader = (registers: Registers) => bigint;

/** Guest-state area: fields the processor's registers hold while the VMCS is loaded. SDM Vol. 3, 25.4. */
export const GUEST_STATE: ReadonlyMap<FieldName, Reader> = new Map<FieldName, Reader>([
  ['GUEST_RIP', (r) => r.rip],
  ['GUEST_RSP', (r) => r.gpr(GPR.RSP)],
  ['GUEST_RFLAGS', (r) => r.rflags],
  ['GUEST_CR0', (r) => r.cr0],
  ['GUEST_CR3', (r) => r.cr3],
  ['GUEST_CR4', (r) => r.cr4],
  ['GUEST_IA32_EFER', (r) => r.efer],
  ['GUEST_DR7', (r) => r.dr(7)],
  ['GUEST_INTERRUPTIBILITY_INFO', (r) => BigInt(r.interruptibility)],
  ['GUEST_ACTIVITY_STATE', (r) => BigInt(r.activity)],
  ['GUEST_GDTR_BASE', (r) => r.gdtr.base],
  ['GUEST_GDTR_LIMIT', (r) => BigInt(r.gdtr.limit)],
  ['GUEST_IDTR_BASE', (r) => r.idtr.base],
  ['GUEST_IDTR_LIMIT', (r) => BigInt(r.idtr.limit)],
  ...(Object.keys(SEG) as (keyof typeof SEG)[]).flatMap((name): [FieldName, Reader][] => [
    [`GUEST_${name}_SELECTOR`, (r) => BigInt(r.segment(SEG[name]).selector)],
    [`GUEST_${name}_BASE`, (r) => r.segment(SEG[name]).base],
    [`GUEST_${name}_LIMIT`, (r) => BigInt(r.segment(SEG[name]).limit)],
    [`GUEST_${name}_AR_BYTES`, (r) => BigInt(r.segment(SEG[name]).access)],
  ]),
]);

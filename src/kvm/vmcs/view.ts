import { invariant } from '../../base/invariant.ts';
import type { Registers } from '../../x86/guest.ts';
import type { FieldName } from '../../x86/vmcs-fields.ts';
import type { Vmcs } from './vmcs.ts';
import { KEPT_AS } from './fields.ts';
import { GUEST_STATE } from './guest-state.ts';
import { HOST_STATE } from './host-state.ts';

/** A VMCS to look at: any field by its name. */
export type VmcsView = (field: FieldName) => bigint;

/** The VMCS that is loaded: what KVM keeps, the processor's registers, the host. A register is asked for once. */
export function viewOf(vmcs: Vmcs, registers: Registers): VmcsView {
  const asked = new Map<FieldName, bigint>();
  return (field) => {
    const known = asked.get(field);
    if (known !== undefined) return known;
    const value = read(vmcs, registers, field);
    asked.set(field, value);
    return value;
  };
}

function read(vmcs: Vmcs, registers: Registers, field: FieldName): bigint {
  const inGuest = GUEST_STATE.get(field);
  if (inGuest !== undefined) return inGuest(registers);
  const kept = KEPT_AS[field];
  if (kept !== undefined) return BigInt(vmcs[kept]);
  const host = (HOST_STATE as Readonly<Partial<Record<FieldName, bigint>>>)[field];
  invariant(host !== undefined, 'KVM knows the field', { field });
  return host;
}

import type { Draft } from '../../base/draft.ts';
import { putAt } from '../../base/places.ts';
import type { Seq } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { KvmState, VcpuState } from '../state.ts';

/** kvm_make_request: what is requested already keeps its first cause. */
export function makeRequest(vcpu: Draft<VcpuState>, requests: number, cause: Seq): void {
  const added = requests & ~vcpu.requests;
  if (added === 0) return;
  for (let bit = 0; bit < 32 && added >>> bit !== 0; bit += 1)
    if (((added >>> bit) & 1) !== 0) putAt(vcpu.requestedBy, bit, cause);
  vcpu.requests |= added;
}

/** kvm_make_all_cpus_request. */
export function makeAllRequest(kvm: Draft<KvmState>, requests: number, cause: Seq): void {
  for (const vcpu of kvm.vcpus) makeRequest(vcpu, requests, cause);
}

/** sim:request. */
export function requested(kvm: Draft<KvmState>, event: EventOf<'sim:request'>, { seq, cause }: Stamped): void {
  makeRequest(kvm.vcpus[event.vcpu_id]!, event.requests, cause ?? seq);
}

/** sim:requests_served. */
export function served(kvm: Draft<KvmState>, { vcpu_id: index, requests }: EventOf<'sim:requests_served'>): void {
  kvm.vcpus[index]!.requests &= ~requests;
}

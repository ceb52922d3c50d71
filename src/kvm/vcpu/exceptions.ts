/** Queuing what the vCPU is to receive. Linux arch/x86/kvm/x86.c, kvm_multiple_exception. */
import type { KvmContext } from '../context.ts';
import { isProtected } from './mode.ts';
import type { VcpuState } from '../state.ts';
import { VECTOR } from '../../x86/exceptions.ts';

export const { DB, BP, OF, UD, DF, PF, AC, MC } = VECTOR;
const { GP } = VECTOR;

type Class = 'benign' | 'contributory' | 'page fault';

function exceptionClass(vector: number): Class {
  if (vector === PF) return 'page fault';
  return vector === VECTOR.DE || (vector >= VECTOR.TS && vector <= GP) ? 'contributory' : 'benign';
}

/** An exception to deliver. */
export interface NewException {
  readonly vector: number;
  readonly errorCode?: number | undefined;
  readonly payload?: bigint | undefined;
}

/** Queue an exception; with one already under way this can become a double or triple fault. SDM Vol. 3, Table 6-5. */
export function queueException(kvm: KvmContext, vcpu: VcpuState, thrown: NewException): void {
  const queued = vcpu.events.exception;
  if (!queued.pending && !queued.injected) {
    tell(kvm, vcpu, thrown);
    return;
  }
  if (queued.vector === DF) {
    kvm.raise({ kind: 'sim:triple_fault', vcpu_id: vcpu.index });
    return;
  }
  const first = exceptionClass(queued.vector);
  const second = exceptionClass(thrown.vector);
  const double =
    (first === 'contributory' && second === 'contributory') || (first === 'page fault' && second !== 'benign');
  tell(kvm, vcpu, double ? { vector: DF, errorCode: 0 } : thrown);
}

function tell(kvm: KvmContext, vcpu: VcpuState, { vector, errorCode, payload }: NewException): void {
  kvm.raise({
    kind: 'sim:exception_queued',
    vcpu_id: vcpu.index,
    vector,
    // Real mode pushes no error code.
    has_error: errorCode !== undefined && isProtected(vcpu),
    error_code: errorCode ?? 0,
    has_payload: payload !== undefined,
    payload: payload ?? 0n,
  });
}

/** kvm_inject_gp. */
export function injectGp(kvm: KvmContext, vcpu: VcpuState): void {
  queueException(kvm, vcpu, { vector: GP, errorCode: 0 });
}

/** #UD. */
export function injectUd(kvm: KvmContext, vcpu: VcpuState): void {
  queueException(kvm, vcpu, { vector: UD });
}

/** Queuing what the vCPU is to receive. Linux arch/x86/kvm/x86.c, kvm_multiple_exception. */
import { REQ_EVENT, REQ_TRIPLE_FAULT, request } from '../context.ts';
import { isProtected } from '../mode.ts';
import type { VcpuState } from '../state.ts';

export const DB = 1;
export const BP = 3;
export const OF = 4;
export const UD = 6;
export const DF = 8;
export const TS = 10;
export const NP = 11;
export const SS = 12;
export const GP = 13;
export const PF = 14;
export const AC = 17;
export const MC = 18;

const ZERO_DIVIDE = 0;

type Class = 'benign' | 'contributory' | 'page fault';

function exceptionClass(vector: number): Class {
  if (vector === PF) return 'page fault';
  return vector === ZERO_DIVIDE || (vector >= TS && vector <= GP) ? 'contributory' : 'benign';
}

/** An exception to deliver. */
export interface NewException {
  readonly vector: number;
  readonly errorCode?: number | undefined;
  readonly payload?: bigint | undefined;
}

/** Queue an exception; with one already under way this can become a double or triple fault. SDM Vol. 3, Table 6-5. */
export function queueException(vcpu: VcpuState, thrown: NewException): void {
  const queued = vcpu.events.exception;
  request(vcpu, REQ_EVENT);
  if (!queued.pending && !queued.injected) {
    fill(vcpu, thrown);
    return;
  }
  if (queued.vector === DF) {
    queued.pending = false;
    queued.injected = false;
    request(vcpu, REQ_TRIPLE_FAULT);
    return;
  }
  const first = exceptionClass(queued.vector);
  const second = exceptionClass(thrown.vector);
  const double =
    (first === 'contributory' && second === 'contributory') || (first === 'page fault' && second !== 'benign');
  fill(vcpu, double ? { vector: DF, errorCode: 0 } : thrown);
}

function fill(vcpu: VcpuState, thrown: NewException): void {
  const queued = vcpu.events.exception;
  queued.pending = true;
  queued.injected = false;
  queued.vector = thrown.vector;
  // Real mode pushes no error code.
  queued.hasError = thrown.errorCode !== undefined && isProtected(vcpu);
  queued.errorCode = thrown.errorCode ?? 0;
  queued.payload = thrown.payload;
}

/** kvm_inject_gp. */
export function injectGp(vcpu: VcpuState): void {
  queueException(vcpu, { vector: GP, errorCode: 0 });
}

/** #UD. */
export function injectUd(vcpu: VcpuState): void {
  queueException(vcpu, { vector: UD });
}

/** kvm_inject_nmi: at most two wait, one while another is handled. */
export function injectNmi(vcpu: VcpuState): void {
  const { nmi } = vcpu.events;
  const blocked = nmi.injected || (vcpu.at.interruptibility & 8) !== 0;
  nmi.pending = Math.min(nmi.pending + 1, blocked ? 1 : 2);
  request(vcpu, REQ_EVENT);
}

import { EXIT } from '../../x86/exit-reasons.ts';
import type { VmExit } from '../../x86/guest.ts';
import { deliver } from '../assists/deliver.ts';
import type { Core } from '../core/core.ts';
import { type GuestEvent, interruptionInfo } from '../core/event.ts';
import { hasErrorCode, isContributory, VECTOR, vmExit } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import { MMIO_NEEDED, stopOf } from '../core/stop.ts';
import { DR6, DR7 } from '../../x86/registers.ts';

/** Exceptions and interrupts on their way to the guest: interception, delivery, and what becomes of faults in it. */
export class EventDelivery {
  private readonly core: Core;
  /** DR6 bits of the debug exception at hand. */
  pendingDebug = 0;
  /** Linear address of the page fault at hand: CR2 is written only when it is delivered. */
  faultAddress = 0n;
  /** What is written to memory now is written by the delivery. */
  delivering = false;

  constructor(core: Core) {
    this.core = core;
  }

  /** Deliver an event on VM entry. It is not subject to the exception bitmap. SDM Vol. 3, 27.6. */
  injectEvent(event: GuestEvent): VmExit | undefined {
    return this.raise(event, true);
  }

  /** Deliver an event, and the faults its delivery raises, in order. Returns the VM exit it came to, if any. */
  raise(first: GuestEvent, injected = false): VmExit | undefined {
    let event = first;
    let previous: GuestEvent | undefined;
    for (;;) {
      const interceptable = event.type === 'exception' && !(injected && event === first);
      if (interceptable && this.intercepts(event)) return this.exceptionExit(event, previous);
      try {
        if (interceptable) this.noteException(event);
        this.deliver(event);
        this.core.modeChanged();
        return undefined;
      } catch (thrown) {
        this.core.modeChanged();
        const stop = stopOf(thrown);
        if (stop.kind === 'exit') return vectored(stop.exit, event);
        if (stop.kind !== 'fault') return vmExit({ reason: MMIO_NEEDED });
        const next = combine(event, stop);
        if (next === undefined) return vmExit({ reason: EXIT.TRIPLE_FAULT });
        previous = event;
        event = next;
      }
    }
  }

  private deliver(event: GuestEvent): void {
    this.delivering = true;
    try {
      deliver(this.core, event);
    } finally {
      this.delivering = false;
    }
  }

  /** KVM's emulator met an exception: it will be injected. */
  emulatedFault(vector: number, error: number): VmExit {
    const withError = hasErrorCode(vector) ? { error } : {};
    return this.exceptionExit({ type: 'exception', vector, length: 0, ...withError }, undefined);
  }

  private noteException(event: GuestEvent): void {
    const { memory } = this.core;
    if (event.vector === VECTOR.PF) memory.write64(L.CR2, this.faultAddress);
    if (event.vector === VECTOR.DB) {
      const dr6 = memory.read32(L.DR6);
      memory.write32(L.DR6, (dr6 & ~DR6.B0_TO_B3) | this.pendingDebug | DR6.ONES);
      memory.write32(L.DR7, memory.read32(L.DR7) & ~DR7.GD);
    }
  }

  private intercepts(event: GuestEvent): boolean {
    const { exceptionBitmap, pageFaultErrorCodeMask, pageFaultErrorCodeMatch } = this.core.controls;
    const wanted = ((exceptionBitmap >>> event.vector) & 1) !== 0;
    if (event.vector !== VECTOR.PF) return wanted;
    const matches = ((event.error ?? 0) & pageFaultErrorCodeMask) === pageFaultErrorCodeMatch;
    return matches ? wanted : !wanted;
  }

  private exceptionExit(event: GuestEvent, previous: GuestEvent | undefined): VmExit {
    const qualification =
      event.vector === VECTOR.PF ? this.faultAddress : event.vector === VECTOR.DB ? BigInt(this.pendingDebug) : 0n;
    const exit = vmExit({
      reason: EXIT.EXCEPTION_NMI,
      qualification,
      interruptionInfo: interruptionInfo(event),
      interruptionErrorCode: event.error ?? 0,
      instructionLength: event.length,
    });
    return previous === undefined ? exit : vectored(exit, previous);
  }

  /** #DB with DR6 bits `hits`. */
  debugException(hits: number): VmExit | undefined {
    this.pendingDebug = hits;
    return this.raise({ type: 'exception', vector: VECTOR.DB, length: 0 });
  }
}

function vectored(exit: VmExit, event: GuestEvent): VmExit {
  return {
    ...exit,
    idtVectoringInfo: interruptionInfo(event),
    idtVectoringErrorCode: event.error ?? 0,
    instructionLength: exit.instructionLength || event.length,
  };
}

/** What a fault during the delivery of `event` becomes. SDM Vol. 3, Table 6-5. Undefined: triple fault. */
function combine(event: GuestEvent, fault: { vector: number; error: number }): GuestEvent | undefined {
  const serial: GuestEvent = {
    type: 'exception',
    vector: fault.vector,
    length: 0,
    ...(hasErrorCode(fault.vector) ? { error: fault.error } : {}),
  };
  if (event.type !== 'exception') return serial;
  const second = isContributory(fault.vector);
  if (event.vector === VECTOR.DF) {
    return second || fault.vector === VECTOR.PF ? undefined : serial;
  }
  const double =
    (isContributory(event.vector) && second) || (event.vector === VECTOR.PF && (second || fault.vector === VECTOR.PF));
  return double ? { type: 'exception', vector: VECTOR.DF, error: 0, length: 0 } : serial;
}

import type { IrqchipState, LapicState } from './irqchip/state.ts';
import type { Ns, Seq } from '../base/units.ts';
import type { Costs } from '../events/costs.ts';
import type { Origin } from '../events/origin.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import type { Processor, TracedGuest } from './processor.ts';
import type { CpuFeatures } from './vcpu/cpuid.ts';
import type { KvmState, VcpuState, VmState } from './state.ts';

/** What KVM needs from the world around it. */
export interface KvmHost {
  /** Everything KVM remembers, as it is now. */
  readonly state: KvmState;
  readonly costs: Costs;
  /** Virtual nanoseconds since power-on. */
  now(): Ns;
  /** Wall-clock nanoseconds (UTC) at power-on: an input. */
  readonly wallClockAtPowerOn: bigint;
  /** An eventfd was signalled: a thread that polls it is to act. */
  signalled(fd: number, origin: Origin): void;
}

/** TSC cycles of a virtual nanosecond: 2 GHz. */
export const TSC_PER_NS = 2;

/** KVM's module: what does not depend on who calls it. */
export interface KvmModule {
  readonly processor: Processor;
  readonly host: KvmHost;
  readonly features: CpuFeatures;
  /** The guest acknowledged a GSI with a resampling irqfd. */
  resample(kvm: KvmContext, gsi: number): void;
}

/** What every part of KVM works with: the module, and where the facts it raises come from. */
export class KvmContext {
  private readonly module: KvmModule;
  readonly origin: Origin;
  private view: TracedGuest | undefined;

  constructor(module: KvmModule, origin: Origin) {
    this.module = module;
    this.origin = origin;
  }

  /** Looked up anew each time: facts change it, a restored checkpoint replaces it. */
  get state(): KvmState {
    return this.module.host.state;
  }

  /** What things take, in virtual time. */
  get costs(): Costs {
    return this.module.host.costs;
  }

  get features(): CpuFeatures {
    return this.module.features;
  }

  get wallClockAtPowerOn(): bigint {
    return this.module.host.wallClockAtPowerOn;
  }

  /** The processor, whose answers are facts of this origin. */
  get guest(): TracedGuest {
    this.view ??= this.module.processor.from(this.origin);
    return this.view;
  }

  /** Virtual nanoseconds since power-on. */
  now(): Ns {
    return this.module.host.now();
  }

  /** The host's TSC. */
  hostTsc(): bigint {
    return BigInt(this.now()) * BigInt(TSC_PER_NS);
  }

  /** Put a fact on record. Returns its sequence number. */
  raise(event: MachineEvent): number {
    return this.origin.raise(event);
  }

  /** The same for what follows from an event. */
  after(seq: Seq): KvmContext {
    const origin = this.origin.after(seq);
    return origin === this.origin ? this : new KvmContext(this.module, origin);
  }

  /** The same for the handling of a VM exit. */
  inside(seq: Seq): KvmContext {
    return new KvmContext(this.module, this.origin.inside(seq));
  }

  /** The same with an origin found otherwise: that of a timer that fires. */
  from(origin: Origin): KvmContext {
    return new KvmContext(this.module, origin);
  }

  /** The threads that poll an eventfd are woken. */
  wakePollers(fd: number): void {
    this.module.host.signalled(fd, this.origin);
  }

  resample(gsi: number): void {
    this.module.resample(this, gsi);
  }
}

/** The VM; there is one for each KVM, made by KVM_CREATE_VM. */
export function vmOf(kvm: KvmContext): VmState {
  return kvm.state.vm!;
}

/** KVM_REQ_*: work to do before the next VM entry. Linux arch/x86/include/asm/kvm_host.h. */
export const REQ_EVENT = 1;
export const REQ_CLOCK_UPDATE = 2;
export const REQ_MASTERCLOCK_UPDATE = 4;
export const REQ_STEAL_UPDATE = 8;
export const REQ_TRIPLE_FAULT = 16;
export const REQ_TLB_FLUSH = 32;
export const REQ_LOAD_MMU_PGD = 64;
export const REQ_GLOBAL_CLOCK_UPDATE = 128;

/** kvm_make_request, where no other fact implies it. What is requested already is not told again. */
export function request(kvm: KvmContext, vcpu: VcpuState, requests: number): void {
  if ((vcpu.requests & requests) === requests) return;
  kvm.raise({ kind: 'sim:request', vcpu_id: vcpu.index, requests });
}

/** The controllers of a VM that has them. */
export const chipOf = (kvm: KvmContext): IrqchipState => kvm.state.vm!.irqchip!;

/** The LAPIC of a vCPU, which has one as soon as there is an irqchip. */
export const lapicOf = (kvm: KvmContext, vcpu: number): LapicState => chipOf(kvm).lapics[vcpu]!;

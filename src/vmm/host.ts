import type { HostRequest } from '../devices/device.ts';
import type { MachineEvent } from '../events/vocabulary.ts';

/** Memory of the process that owns the virtual machine: what memslots' userspace_addr points into. */
export interface HostMemory {
  /** A zeroed, page-aligned range; returns its host virtual address. The same calls give the same addresses. */
  allocate(name: string, size: number): number;
  readHost(hva: number, length: number): Uint8Array;
  writeHost(hva: number, bytes: Uint8Array): void;
}

/** What the virtual machine monitor needs from the world around it. */
export interface VmmHost {
  /** Virtual nanoseconds since power-on. */
  now(): number;
  raise(event: MachineEvent): void;
  ask(request: HostRequest): void;
  readonly memory: HostMemory;
  /** Wall-clock nanoseconds (UTC) at power-on: an input. The RTC starts from it. */
  readonly wallClockAtPowerOn: bigint;
}

import type { Hva, Ns } from '../base/units.ts';
import type { Origin } from '../events/origin.ts';
import type { Source } from '../events/stamped.ts';
import type { PayloadSource } from '../memory/payloads.ts';
import type { MachineConfig } from './config.ts';
import type { VmmState } from './state.ts';

/** What a packet holds, and what is left to be done to it. */
export interface PacketBytes {
  readonly bytes: Uint8Array;
  readonly header: Uint8Array;
}

/** Memory of the process that owns the virtual machine: what memslots' userspace_addr points into. */
export interface HostMemory {
  readHost(hva: Hva, length: number): Uint8Array;
  writeHost(hva: Hva, bytes: Uint8Array): void;
  /** Bytes nothing is decided by: they are not on record. */
  readPayload(hva: Hva, length: number): Uint8Array;
  /** Bytes read so that go to somebody who decides by them: the fact that tells them is raised with what this gives. */
  packet(sent: PacketBytes): PacketBytes;
  /** What is read meanwhile is one fact of a device, raised at the end. Within another gathering it is part of that. */
  gather<T>(dev: string, reads: () => T): T;
}

/** What the virtual machine monitor needs from the world around it. */
export interface VmmHost extends PayloadSource {
  /** Everything QEMU's half remembers, as it is now. */
  readonly state: VmmState;
  readonly config: MachineConfig;
  /** The next host virtual address nobody has been given. */
  readonly nextHva: Hva;
  /** The run is over. */
  readonly hasEnded: boolean;
  /** Virtual nanoseconds since power-on. */
  now(): Ns;
  /** The next bytes of a named stream of chance. They are drawn when a fact says so. */
  chance(stream: string, length: number): Uint8Array;
  /** A thread may have something to do. */
  wake(thread: Source, origin: Origin): void;
  /** Memory, whose answers are facts of this origin. */
  memoryFor(origin: Origin): HostMemory;
}

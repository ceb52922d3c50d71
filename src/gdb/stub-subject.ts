import type { WantedChange } from '../debugger/forks/forks.ts';
import type { GuestView } from '../machine/guest-view.ts';
import type { MonitorView } from './monitor.ts';

/** The run as the stub needs it. */
export interface StubSubject extends MonitorView {
  /** Bytes at a virtual address through a vCPU's page tables of now; undefined where nothing is mapped. */
  readMemory(vcpu: number, address: bigint, length: number): Uint8Array | undefined;
  view(): GuestView;
  /** Make registers or memory something else from here on. A sentence, when that cannot be. */
  change(changes: readonly WantedChange[]): string | undefined;
  /** gdb has come. */
  joined(): void;
  /** A journey waits for somebody else: look again in a while. */
  rests(): boolean;
  /** gdb has gone; nothing of what it set up stays. `killed`: it asked for the run's end. */
  left(killed: boolean): void;
  /** What a person is to be told with the next answer. */
  takeNotices(): readonly string[];
}

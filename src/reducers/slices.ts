/** The state by named parts, each with a digest of its own: what a replay or a fold compares. */
import { digestWord } from '../base/digest.ts';
import type { MachineConfig } from '../vmm/config.ts';
import { bitsOf, type Owner } from './row.ts';
import type { MachineState } from './state.ts';

/** A named part of the state. */
export interface Slice {
  readonly name: string;
  /** Whose it is, as bits. */
  readonly ownerBits: number;
  read(state: MachineState): unknown;
}

/** What else lies in a slice of an owner. */
const BESIDE: Partial<Record<Owner, Owner>> = { vcpus: 'vcpu', board: 'dirty' };

const slice = (name: string, owner: Owner, read: Slice['read']): Slice => ({
  name,
  ownerBits: bitsOf(owner, BESIDE[owner] ?? owner),
  read,
});

/** What KVM keeps of the VM besides its interrupt controllers. */
function vmOf({ kvm: { vm } }: MachineState): unknown {
  if (vm === undefined) return undefined;
  const { irqchip, ...rest } = vm;
  return { ...rest, routing: irqchip?.routing, ackNotifiers: irqchip?.ackNotifiers };
}

const irqchipOf = ({ kvm }: MachineState) => kvm.vm?.irqchip;

const deviceOf = ({ vmm }: MachineState, name: string): unknown =>
  (vmm.devices as unknown as Readonly<Record<string, unknown>>)[name];

function boardOf({ vmm }: MachineState): unknown {
  const { slots, pins, eventfds, msiRoutes, resetBy, sleep, stopped, dirty } = vmm;
  const log = dirty === undefined ? {} : { dirty };
  const power = { ...(sleep === undefined ? {} : { sleep }), ...(stopped === undefined ? {} : { stopped }) };
  return { slots, pins, eventfds, msiRoutes, resetBy, ...power, ...log };
}

/** The slices of a machine, in a fixed order. */
export function slicesOf({ smp, parts, drives = [], net }: MachineConfig): readonly Slice[] {
  const vcpus = Array.from({ length: smp }, (_, index) => index);
  return [
    slice('clock', 'clock', ({ clock }) => clock),
    slice('schedule', 'schedule', ({ schedule }) => schedule),
    slice('chance', 'chance', ({ chance }) => chance),
    slice('host-memory', 'hostMemory', ({ hostMemory }) => hostMemory),
    slice('kvm.files', 'files', ({ kvm }) => kvm.files),
    slice('kvm.vm', 'vm', vmOf),
    slice('kvm.ept', 'ept', ({ kvm }) => kvm.ept),
    slice('kvm.timers', 'kernelTimers', ({ kvm }) => kvm.timers),
    slice('pic', 'pic', (state) => irqchipOf(state)?.pic),
    slice('ioapic', 'ioapic', (state) => irqchipOf(state)?.ioapic),
    slice('pit', 'pit', (state) => irqchipOf(state)?.pit),
    ...vcpus.map((index) => slice(`lapic${index}`, 'lapics', (state) => irqchipOf(state)?.lapics[index])),
    ...vcpus.map((index) => slice(`vcpu${index}`, 'vcpus', ({ kvm }) => kvm.vcpus[index])),
    slice('board', 'board', boardOf),
    slice('timers', 'timers', ({ vmm }) => vmm.timers),
    ...parts.map(({ name }) => slice(name, 'devices', (state) => deviceOf(state, name))),
    ...(net === undefined ? [] : [slice('net', 'net', ({ vmm }) => vmm.net)]),
    ...drives.map(({ id }) => slice(`drive ${id}`, 'drives', ({ vmm }) => vmm.drives[id])),
  ];
}

const BYTES_PER_SLICE = 4;

/** The first 32 bits of a slice's digest. */
const wordOf = (state: MachineState, { read }: Slice): number => digestWord(read(state));

/** The digests of a state's slices: four bytes each, most significant first, in the order of `slicesOf`. */
export function digestSlices(state: MachineState, slices: readonly Slice[] = slicesOf(state.config)): Uint8Array {
  const view = new DataView(new ArrayBuffer(BYTES_PER_SLICE * slices.length));
  slices.forEach((each, index) => view.setUint32(BYTES_PER_SLICE * index, wordOf(state, each)));
  return new Uint8Array(view.buffer);
}

/** Names of the slices in which two lists of digests differ. */
export const differingSlices = (config: MachineConfig, left: Uint8Array, right: Uint8Array): string[] =>
  slicesOf(config)
    .filter((_, index) => {
      const at = BYTES_PER_SLICE * index;
      return [0, 1, 2, 3].some((byte) => left[at + byte] !== right[at + byte]);
    })
    .map(({ name }) => name);

/** Digests of a state that changes by events: only what their owners say has changed is looked at anew. */
export class SliceDigests {
  private readonly slices: readonly Slice[];
  private readonly words: DataView;
  /** Whose slices are to be looked at anew, as bits. */
  private stale = 0;

  constructor(state: MachineState) {
    this.slices = slicesOf(state.config);
    const bytes = digestSlices(state, this.slices);
    this.words = new DataView(bytes.buffer);
  }

  /** What these owners hold may have changed. */
  touch(ownerBits: number): void {
    this.stale |= ownerBits;
  }

  /** Another state is in place. */
  forget(): void {
    this.stale = -1;
  }

  /** The digests now: bytes the caller may keep. */
  take(state: MachineState): Uint8Array {
    this.slices.forEach((each, index) => {
      if ((this.stale & each.ownerBits) !== 0) this.words.setUint32(BYTES_PER_SLICE * index, wordOf(state, each));
    });
    this.stale = 0;
    return new Uint8Array(this.words.buffer.slice(0));
  }
}

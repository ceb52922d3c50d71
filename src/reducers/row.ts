import type { Draft } from '../base/draft.ts';
import { type Stamped, vcpuOf } from '../events/stamped.ts';
import type { EventKind, EventOf } from '../events/vocabulary.ts';
import type { KvmState, VcpuState } from '../kvm/state.ts';
import type { MachineConfig } from '../vmm/config.ts';
import type { VmmState } from '../vmm/state.ts';
import type { MachineState } from './state.ts';

/**
 * A part of the state that facts change: see `slices.ts` for where it lies. `vcpu` is the vCPU an event names, or else
 * the one on whose thread it happened; `vcpus` may be any.
 */
export type Owner = (typeof OWNERS)[number];

export const OWNERS = [
  'clock',
  'schedule',
  'chance',
  'hostMemory',
  'files',
  'vm',
  'ept',
  'kernelTimers',
  'pic',
  'ioapic',
  'lapics',
  'pit',
  'vcpu',
  'vcpus',
  'board',
  'timers',
  'devices',
  'drives',
  'net',
  'dirty',
] as const;

/** Owners as a set of bits. */
export const bitsOf = (...owners: readonly Owner[]): number =>
  owners.reduce((bits, owner) => bits | (1 << OWNERS.indexOf(owner)), 0);

/** One step of what an event does to the state of a machine made so. */
export type Change<K extends EventKind> = (
  state: Draft<MachineState>,
  event: EventOf<K>,
  stamped: Stamped,
  config: MachineConfig,
) => void;

/** What an event of one kind does. */
export interface Row<K extends EventKind> {
  /** What it may change, in a fixed order. */
  readonly owners: readonly Owner[];
  /** The same as bits. */
  readonly ownerBits: number;
  readonly changes: readonly Change<K>[];
  /** True where such an event changes nothing but the place the run has come to. A reader may skip it. */
  readonly isIdle?: (state: MachineState, event: EventOf<K>) => boolean;
  /** Of a row of `vcpu`: how deep such an event reaches into it. undefined: as deep as it likes. */
  readonly reaches?: (vcpu: VcpuState, event: EventOf<K>) => Reach | undefined;
}

/**
 * An event that gives fields of its vCPU other values, and fields of these parts of it, but changes nothing of what
 * they hold: a reader copies that much and needs no drafts.
 */
export type Reach = readonly 'run'[];

export const ITSELF: Reach = Object.freeze([]);
export const RUN_PAGE: Reach = ['run'];

/** A row for each kind of a family: one that is missing does not compile. */
export type Rows<Kind extends EventKind> = { readonly [K in Kind]: Row<K> };

/** An event that tells something and changes nothing. */
export const tells = { owners: [], ownerBits: 0, changes: [] } as const;

/** An event that changes what its owners hold. */
export const changes = <K extends EventKind>(owners: readonly Owner[], ...steps: readonly Change<K>[]): Row<K> => ({
  owners,
  ownerBits: bitsOf(...owners),
  changes: steps,
});

/** The same, where events that change nothing can be told by a look. */
export const changesUnless = <K extends EventKind>(
  isIdle: (state: MachineState, event: EventOf<K>) => boolean,
  owners: readonly Owner[],
  ...steps: readonly Change<K>[]
): Row<K> => ({ ...changes(owners, ...steps), isIdle });

/** The same, where it can be told by a look how deep events reach. */
export const reaching = <K extends EventKind>(
  reaches: (vcpu: VcpuState, event: EventOf<K>) => Reach | undefined,
  row: Row<K>,
): Row<K> => ({ ...row, reaches });

/** What concerns KVM's half. */
export const kvm =
  <K extends EventKind>(step: (kvm: Draft<KvmState>, event: EventOf<K>, stamped: Stamped) => void): Change<K> =>
  (state, event, stamped) =>
    step(state.kvm, event, stamped);

/** The vCPU an event is about: the one it names, or else the one on whose thread it happened. */
export const vcpuNamed = (event: object, { source }: Stamped): number =>
  (event as { readonly vcpu_id?: number }).vcpu_id ?? vcpuOf(source);

/** What concerns the vCPU an event is about. */
export const ofVcpu = <K extends EventKind>(
  step: (vcpu: Draft<VcpuState>, event: EventOf<K>, stamped: Stamped) => void,
): Change<K> => kvm((state, event, stamped) => step(state.vcpus[vcpuNamed(event, stamped)]!, event, stamped));

/** What concerns QEMU's half. */
export const vmm =
  <K extends EventKind>(
    step: (vmm: Draft<VmmState>, event: EventOf<K>, config: MachineConfig, stamped: Stamped) => void,
  ): Change<K> =>
  (state, event, stamped, config) =>
    step(state.vmm, event, config, stamped);

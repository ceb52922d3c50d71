import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Draft } from '../../../src/base/draft.ts';
import { digestOf } from '../../../src/base/digest.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { NODE } from '../../../src/host/node.ts';
import { type Checkpoint, restoreCheckpoint, takeCheckpoint } from '../../../src/machine/checkpoint.ts';
import { createMachine, type Machine } from '../../../src/machine/machine.ts';
import type { PendingInput } from '../../../src/machine/parts.ts';
import { runOptions } from '../../../src/options/run-arguments.ts';
import { evolve } from '../../../src/reducers/evolve.ts';
import { thaw } from '../../../src/reducers/seal.ts';
import { differingSlices, digestSlices } from '../../../src/reducers/slices.ts';
import type { Ending, MachineState } from '../../../src/reducers/state.ts';
import { assemble } from '../../../src/runs/machine/assemble.ts';
import { identities } from '../../../src/runs/machine/images.ts';
import { STOPPED } from '../../../src/runs/run-inputs.ts';
import { prepared } from '../../../src/runs/underway/prepare.ts';
import { startRecording } from '../../../src/runs/underway/recording.ts';

const PROGRAM = fileURLToPath(new URL('../../guests/hostile-driver/driver.elf', import.meta.url));

const SECTOR = 512;
const SECTORS = 2048;

/** More than any seed takes that does not idle for ever. */
const MOST_TICKS = 2_000_000;
const MOST_NS = 200_000_000;
const READY_WITHIN = 10_000_000;
const EVENTS_PER_DIGEST = 4000;

const LARGE_BLOCKS = 'logical_block_size=4096,physical_block_size=4096';
/** Virtio devices of all kinds, each in a slot of its own. */
const DEVICES = [
  'virtio-blk-pci,drive=d0,num-queues=3,iothread=t',
  'virtio-blk-pci,drive=d1,disable-legacy=on,ioeventfd=off,queue-size=16',
  'virtio-blk-pci,drive=d2,disable-modern=on,vectors=0,num-queues=2,config-wce=off',
  `virtio-blk-pci,drive=d3,page-per-vq=on,event_idx=off,indirect_desc=off,${LARGE_BLOCKS}`,
  'virtio-blk-pci,drive=d4,discard=off,write-zeroes=off,num-queues=4,vectors=2',
  'virtio-blk-pci,drive=d5,disable-modern=on',
  'virtio-rng-pci',
  'virtio-rng-pci,disable-legacy=on,ioeventfd=off',
  'virtio-net-pci,netdev=n0,x-txburst=3,mq=on,rss=on,x-queue-pairs=2',
  'virtio-net-pci,netdev=n1,disable-legacy=on,ioeventfd=off,host_mtu=1500,speed=100,duplex=full',
  'virtio-net-pci,netdev=n2,disable-modern=on,vectors=0,tx=timer',
];

/** One card alone with its network, and two on a hub, who hear each other and another network. */
const NETWORKS = [
  ...['user,id=n0', 'user,id=u', 'hubport,id=h,hubid=0,netdev=u'],
  ...['hubport,id=n1,hubid=0', 'hubport,id=n2,hubid=0'],
];

const DRIVES = [
  'format=raw,serial=RV0001,jitter=60us',
  // What fails there the driver is not told.
  'format=raw,discard=unmap,werror=ignore,rerror=ignore,error=EIO,sector=64+64,error=ENOSPC,sector=512+64',
  'format=raw,cache=writethrough,error=EIO,op=read,sector=256+64,error=EIO,op=write,sector=1024+64',
  // The machine stops once each.
  'format=raw,discard=unmap,rerror=stop,error=ENOSPC,op=write,sector=0+1024,once=on,error=EIO,op=read,once=on',
  'format=raw,readonly=on',
  // Whoever does not say is told.
  'cache=unsafe',
];
/** Of the last image: its last sector is not whole. */
const ODD_BYTES = 100;

/** An image of which each sector tells its number. */
function makeImage(folder: string, id: number): string {
  const path = join(folder, `d${id}.raw`);
  const file = openSync(path, 'w');
  for (let at = 0; at < SECTORS; at += 1) writeSync(file, new Uint8Array(SECTOR).fill(at + id), 0, SECTOR, at * SECTOR);
  if (id === DRIVES.length - 1) ftruncateSync(file, SECTORS * SECTOR - ODD_BYTES);
  closeSync(file);
  return path;
}

/** What a campaign's machine is made of, and how long a seed of it may take. */
export interface CampaignSetup {
  readonly arguments: readonly string[];
  readonly mostNs: number;
  /** Absent: that of a small driver. */
  readonly mostTicks?: number;
  readonly readyWithin?: number;
  /** A guest that reads lines: what it prints when it is ready, and when a seed is over, and what it is told. */
  readonly words?: { readonly ready: string; readonly over: string; typed(seed: number): string };
  /** The seed is also the run's own: what the machine draws follows from it. */
  readonly isOfMachine?: boolean;
}

/** A machine with virtio devices. */
export const virtioSetup = (folder: string): CampaignSetup => ({ arguments: argumentsOf(folder), mostNs: MOST_NS });

const argumentsOf = (folder: string): string[] => [
  ...['-m', '16', '-nodefaults', '-serial', 'null', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
  ...['-object', 'iothread,id=t', '-kernel', PROGRAM, '--wall-clock', '1700000000', '--seed', 'hostile driver'],
  ...DRIVES.flatMap((more, id) => ['-drive', `file=${makeImage(folder, id)},if=none,id=d${id},${more}`]),
  ...NETWORKS.flatMap((network) => ['-netdev', network]),
  ...DEVICES.flatMap((device) => ['-device', device]),
];

/** What one seed came to. */
export interface Outcome {
  readonly why: Ending['why'] | 'idle' | 'until';
  readonly ticks: number;
  readonly events: readonly Stamped[];
  readonly state: MachineState;
}

/** Who hears of a machine's events while they happen. */
export interface Listener {
  next(stamped: Stamped): void;
}

/** A machine whose guest has said that it is ready for a seed: each begins there. */
export class CampaignMachine {
  readonly machine: Machine;
  private readonly setup: CampaignSetup;
  private readonly gate = { isHeld: false };
  /** What the guest prints to have the gate held; empty: anything. */
  private awaited: string | undefined;
  private heard = '';
  private readonly made: ReturnType<typeof prepared>;
  private readonly start: Checkpoint;
  private readonly begun: readonly Stamped[];
  private readonly inputs: PendingInput[] = [];
  private events: Stamped[] = [];
  private listener: Listener | undefined;

  constructor(setup: CampaignSetup) {
    this.setup = setup;
    this.awaited = setup.words?.ready ?? '';
    const usual = prepared(NODE, runOptions([...setup.arguments]));
    this.made = { ...usual, description: { ...usual.description, eventsPerDigest: EVENTS_PER_DIGEST } };
    const { description, images, disks, wallClockAtPowerOn, options } = this.made;
    this.machine = createMachine(
      assemble({
        ...{ world: NODE, description, images, disks, seed: options.seed, wallClockAtPowerOn },
        inputs: { peek: () => this.inputs[0], take: () => void this.inputs.shift() },
        onEvent: (stamped) => {
          this.events.push(stamped);
          if (stamped.event.kind === 'sim:serial_sent') this.hear(stamped.event.byte);
          this.listener?.next(stamped);
        },
      }),
    );
    this.machine.advance({ tick: setup.readyWithin ?? READY_WITHIN, gate: this.gate });
    if (!this.gate.isHeld) throw new Error('The guest did not say that it is ready.');
    this.awaited = setup.words?.over;
    this.start = takeCheckpoint(this.machine);
    this.begun = this.events;
  }

  /** Paths of the images, by the ids of their drives. */
  get images(): ReadonlyMap<string, string> {
    return new Map(this.made.options.drives.map(({ id, path }) => [id, path]));
  }

  /** What a seed draws, from the moment the guest was ready to its end, and what comes from outside besides. */
  run(seed: number, listener?: Listener, more: (now: number) => readonly PendingInput[] = () => []): Outcome {
    restoreCheckpoint(this.machine, this.startOf(seed));
    const { words, mostNs, mostTicks } = this.setup;
    const bytes = words === undefined ? new Uint8Array(Uint32Array.of(seed).buffer) : Buffer.from(words.typed(seed));
    const typed: PendingInput = { event: { kind: 'sim:serial_received', line: 0, bytes } };
    this.inputs.splice(0, this.inputs.length, typed, ...more(this.machine.now()));
    this.events = [];
    this.heard = '';
    this.gate.isHeld = false;
    this.listener = listener;
    const { ticks } = this.machine;
    const until = { tick: ticks + (mostTicks ?? MOST_TICKS), ns: this.machine.now() + mostNs, gate: this.gate };
    let reason = this.machine.advance(until);
    while (this.machine.state.vmm.stopped !== undefined) {
      this.inputs.push({ event: { kind: 'sim:continue_requested' } });
      reason = this.machine.advance(until);
    }
    if (reason.why !== 'ended') {
      this.inputs.splice(0, this.inputs.length, { event: STOPPED });
      this.machine.advance({});
    }
    this.listener = undefined;
    const why = reason.why === 'ended' ? reason.ending.why : reason.why === 'idle' ? 'idle' : 'until';
    return { why, ticks: this.machine.ticks - ticks, events: this.events, state: this.machine.state };
  }

  /** The moment the guest was ready, of a run of this seed. */
  private startOf(seed: number): Checkpoint {
    if (this.setup.isOfMachine !== true) return this.start;
    const { state } = this.start;
    return { ...this.start, state: { ...state, chance: { ...state.chance, seed: `${seed}` } } };
  }

  private hear(byte: number): void {
    if (this.awaited === undefined) return;
    this.heard += String.fromCharCode(byte);
    this.gate.isHeld ||= this.heard.includes(this.awaited);
  }

  /** What is wrong with the state that follows from the events alone; undefined: nothing. */
  folds({ events, state }: Outcome): string | undefined {
    const folded = thaw(this.start.state) as Draft<MachineState>;
    // A run's seed is what it began with, wherever its first draw is.
    folded.chance.seed = state.chance.seed;
    for (const stamped of events) {
      evolve(folded, stamped);
      const { event, seq } = stamped;
      if (event.kind !== 'sim:digest') continue;
      const differing = differingSlices(folded.config, event.slices, digestSlices(folded));
      if (differing.length > 0) return `The state differs at event ${seq} in ${differing.join(', ')}.`;
    }
    return digestOf(folded) === digestOf(state)
      ? undefined
      : 'The state at the end is not what follows from the events.';
  }

  /** The run of a seed as a trace, from power-on. */
  record({ events }: Outcome, trace: string): void {
    const { description, images, options, disks } = this.made;
    const subject = {
      engineVersion: NODE.version,
      machine: description,
      images: identities(NODE, images),
      seed: options.seed,
    };
    const recording = startRecording(NODE, { path: trace }, subject, { blocks: disks.blocks.list });
    for (const stamped of [...this.begun, ...events]) recording.next(stamped);
    recording.begin();
    recording.close();
  }
}

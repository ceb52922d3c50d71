import { newKvmState } from '../kvm/new-state.ts';
import type { MachineConfig } from '../vmm/config.ts';
import { drivesAtPowerOn } from '../vmm/evolve/drives.ts';
import { netAtPowerOn } from '../vmm/evolve/net.ts';
import { configOf, devicesAtPowerOn } from '../vmm/pc/parts.ts';
import type { MachineState } from './state.ts';
import { threadsAtPowerOn } from './threads.ts';

/** The state of a machine made so, before its first event. Its seed and its time of day come with `sim:powered_on`. */
export function powerOn(made: Omit<MachineConfig, 'parts' | 'net'>): MachineState {
  const config = configOf(made);
  return {
    at: { seq: -1, tick: 0 },
    config,
    clock: { warpedNs: 0, wallClockAtPowerOn: 0n },
    schedule: {
      turn: 0,
      threads: threadsAtPowerOn({
        vcpus: made.smp,
        iothreads: made.iothreads?.length ?? 0,
        vhosts: (config.net ?? []).filter(({ vhost }) => vhost !== undefined).length,
      }),
      nextDigest: made.digestEvery,
      ended: undefined,
    },
    chance: { seed: '', draws: {} },
    hostMemory: { next: 0 },
    kvm: newKvmState(made.memory * 2 ** 20),
    vmm: {
      devices: devicesAtPowerOn(made),
      slots: [],
      pins: {},
      eventfds: {},
      msiRoutes: {},
      timers: {},
      drives: drivesAtPowerOn(made.drives),
      ...netAtPowerOn(config.net),
      resetBy: undefined,
    },
  };
}

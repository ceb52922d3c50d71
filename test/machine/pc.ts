import { type Costs, USUAL_PACE } from '../../src/events/costs.ts';
import { createKvm } from '../../src/kvm/kvm.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import type { InputSource, MachineParts, PendingInput } from '../../src/machine/parts.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { createMachinePc, type MachineConfig, type MachineOptions } from '../../src/vmm/index.ts';

/** What of a machine's options is in its state from the start, as `host` has it. */
export function madeOf(
  options: MachineOptions,
  digestEvery = 0,
  costs: Costs = USUAL_PACE.costs,
): Omit<MachineConfig, 'parts'> {
  const { memory, smp, devices, serialLines, bios, noReboot = false } = options;
  return {
    memory,
    smp,
    devices,
    serialLines,
    firmware: bios !== undefined,
    noReboot,
    nsPerTick: 8,
    costs,
    digestEvery,
  };
}

/** What a test decides about a machine beside its options. */
export interface Around extends Partial<Omit<MachineParts, 'made' | 'engine' | 'onEvent'>> {
  readonly digestEvery?: number;
  readonly costs?: Costs;
  readonly drives?: MachineConfig['drives'];
  readonly netdevs?: MachineConfig['netdevs'];
  readonly bridges?: MachineConfig['bridges'];
  readonly engine: MachineParts['engine'];
  onEvent(...told: Parameters<MachineParts['onEvent']>): void;
}

/** The real hypervisor and the devices of a `pc`, on a processor that the test brings. */
export function pcOn(
  options: MachineOptions,
  { digestEvery, costs, drives, netdevs, bridges, ...around }: Around,
): Machine {
  return createMachine({
    made: {
      ...madeOf(options, digestEvery, costs),
      ...(drives === undefined ? {} : { drives }),
      ...(netdevs === undefined ? {} : { netdevs }),
      ...(bridges === undefined ? {} : { bridges }),
    },
    kvm: (processor, host) => createKvm(processor, host),
    vmm: (kernel, host, origin) => createMachinePc(kernel, options, host, origin),
    chance: CHANCE,
    inputs: inputQueue(),
    seed: '3',
    wallClockAtPowerOn: 1_700_000_000_000_000_000n,
    ...around,
  });
}

/** Inputs in a list that tests push to. */
export function inputQueue(pending: PendingInput[] = []): InputSource & { push(input: PendingInput): void } {
  return { peek: () => pending[0], take: () => void pending.shift(), push: (input) => void pending.push(input) };
}

/** Bytes typed at COM1. */
export const typed = (text: string, when: Omit<PendingInput, 'event'> = {}): PendingInput => ({
  ...when,
  event: { kind: 'sim:serial_received', line: 0, bytes: new TextEncoder().encode(text) },
});

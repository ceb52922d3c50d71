import type { Stamped } from '../../src/events/stamped.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { MachineParts, PendingInput } from '../../src/machine/parts.ts';
import type { MachineConfig } from '../../src/vmm/index.ts';
import { inputQueue, madeOf, pcOn, typed } from './pc.ts';
import { MEMORY_MIB, scriptedEngine } from './scripted-engine.ts';

const OPTIONS = {
  machine: 'pc',
  memory: MEMORY_MIB,
  bios: { name: 'bios.bin', bytes: new Uint8Array(65536).fill(0x90) },
  devices: [],
  serialLines: 1,
  noDefaults: false,
} as const;
const DIGEST_EVERY = 10_000;
const END = 120_000;

/** How such a machine is made. */
export const scriptedMade = (smp: number): Omit<MachineConfig, 'parts'> => madeOf({ ...OPTIONS, smp }, DIGEST_EVERY);

type Outside = Pick<MachineParts, 'inputs' | 'onEvent'> & Partial<Pick<MachineParts, 'engine' | 'eventsPerDigest'>>;

/** The real hypervisor and devices over a processor that follows a script. */
export const scriptedMachine = (smp: number, outside: Outside): Machine =>
  pcOn({ ...OPTIONS, smp }, { engine: scriptedEngine, digestEvery: DIGEST_EVERY, ...outside });

/** Something for every receiver, in the order of time. */
export const GIVEN: readonly PendingInput[] = [
  typed('ls\n', { ns: 300_000 }),
  { ns: 450_000, event: { kind: 'sim:keyboard_received', bytes: Uint8Array.of(0x1e, 0x9e) } },
  { ns: 600_007, event: { kind: 'sim:power_button_pressed' } },
  typed('x', { ns: 700_001 }),
  { ns: 800_000, event: { kind: 'sim:reset_requested' } },
];

/** A run of it in pieces, and all that happened. */
export function scriptedRun(smp: number): { readonly machine: Machine; readonly events: readonly Stamped[] } {
  const events: Stamped[] = [];
  const inputs = inputQueue([...GIVEN]);
  const machine = scriptedMachine(smp, { inputs, onEvent: (stamped) => void events.push(stamped) });
  for (let tick = 0; tick <= END; tick += 3137) machine.advance({ tick });
  machine.advance({ seq: machine.seq + 20 });
  return { machine, events };
}

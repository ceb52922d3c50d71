import { expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { NODE } from '../../src/host/node.ts';
import { loadImages, OWN_GUEST_PATH } from '../../src/runs/machine/images.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { SparseBytes } from '../../src/memory/sparse.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { assemble } from '../../src/runs/machine/assemble.ts';
import { describeMachine } from '../../src/runs/machine/machine-description.ts';

const GIGABYTE = 2 ** 30;
const SECTOR = 512;
const BASE = { read: (_at: number, into: Uint8Array): void => void into.fill(0xba) };

/** The tour's machine with a disk of 10 GB, of which each exit to user space writes a sector somewhere. */
function machineWithDisk(): { machine: Machine; disk: SparseBytes; digests: string[] } {
  const chosen = runOptions(['--wall-clock', '1700000000']);
  const images = loadImages(NODE, { kernel: OWN_GUEST_PATH, initrd: undefined, bios: undefined });
  const paths = Object.fromEntries([...images].map(([role, { path }]) => [role, path]));
  const disk = new SparseBytes('disk', 10 * GIGABYTE, BASE);
  const digests: string[] = [];
  const parts = assemble({
    world: NODE,
    description: { ...describeMachine(chosen, paths), digestEvery: 20_000 },
    images,
    seed: '1',
    wallClockAtPowerOn: 1_700_000_000_000_000_000n,
    inputs: { peek: () => undefined, take: () => undefined },
    onEvent({ event }: { readonly event: MachineEvent }) {
      if (event.kind === 'sim:memory_digest') digests.push(event.memory);
    },
  });
  const machine = createMachine({
    ...parts,
    vmm(kernel, host, origin) {
      const vmm = parts.vmm(kernel, host, origin);
      return {
        ...vmm,
        regions: [disk],
        service(vcpu, from) {
          const now = host.now();
          disk.write(((now * 7919) % (20 * 2 ** 20)) * SECTOR, new Uint8Array(SECTOR).fill(now % 256));
          vmm.service(vcpu, from);
        },
      };
    },
  });
  return { machine, disk, digests };
}

const fingerprint = ({ state, pages }: Machine): string => `${digestOf(state)} ${pages.digest()}`;

test('what a disk holds is in digests of memory and in checkpoints, and is put back with the machine', () => {
  const { machine, disk, digests } = machineWithDisk();
  machine.advance({ tick: 60_000 });
  const early = takeCheckpoint(machine);
  const then = fingerprint(machine);
  const told = digests.length;
  machine.advance({ tick: 160_000 });
  const end = fingerprint(machine);
  const after = digests.slice(told);
  expect(after.length).toBeGreaterThan(3);
  const late = takeCheckpoint(machine, early);
  restoreCheckpoint(machine, early);
  expect(fingerprint(machine)).toBe(then);
  digests.length = 0;
  machine.advance({ tick: 160_000 });
  expect(fingerprint(machine)).toBe(end);
  expect(digests).toEqual(after);

  const other = machineWithDisk();
  restoreCheckpoint(other.machine, late);
  expect(fingerprint(other.machine)).toBe(end);
  const byte = new Uint8Array(1);
  other.disk.write(0, Uint8Array.of(1));
  expect(fingerprint(other.machine)).not.toBe(end);
  disk.read(0, byte);
  expect(byte[0]).toBe(0xba);
});

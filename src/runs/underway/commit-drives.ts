import type { Machine } from '../../machine/machine.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { World } from '../world.ts';
import type { DrivesWithoutPower } from './power-loss.ts';
import type { OutputTo } from './printed.ts';

/** A run that is over. */
interface Ended {
  readonly world: World;
  readonly options: RunOptions;
  readonly machine: Machine;
  readonly output: OutputTo;
  readonly withoutPower: DrivesWithoutPower | undefined;
}

/** Write what the guest wrote back into the images; after a loss of power what that left of it. */
export function commitDrives({ world, options, machine, output, withoutPower }: Ended): void {
  const isLost = machine.state.schedule.ended?.why === 'power-lost';
  for (const { id, path, readOnly } of options.drives) {
    const survived = isLost && !readOnly ? withoutPower?.survived(id) : undefined;
    if (survived !== undefined) output.notice?.(`Drive ${id}: ${survived.fate}`);
    const bytes = survived?.content ?? machine.vmm.drives?.get(id)?.bytes;
    const changes = readOnly ? [] : [...(bytes?.changes() ?? [])];
    const isResized = machine.state.vmm.drives[id]?.size !== undefined;
    if (bytes === undefined || (changes.length === 0 && !isResized)) continue;
    world.images.commitDisk(path, changes, isResized ? { kept: bytes.shownOfBase, size: bytes.size } : undefined);
    const pages = `${changes.length} page${changes.length === 1 ? '' : 's'} of 4 KiB`;
    const what = isResized ? `${pages} and a size of ${bytes.size} bytes` : pages;
    output.notice?.(`${what} went back into ${path}. Whoever replays this run needs the image as it was.`);
  }
}

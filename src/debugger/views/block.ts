import type { DriveConfig, PartConfig } from '../../vmm/config.ts';
import type { DriveState } from '../../vmm/state.ts';
import { functionsOf, objectPath } from './parts.ts';
import { viewOf } from './view.ts';

/** A drive, what it is attached to, and what was asked of it. */
interface DriveSeen extends DriveConfig, Omit<DriveState, 'inFlight'> {
  readonly attachedTo: string | undefined;
  readonly inFlight: number;
}

/** As QEMU's monitor prints it for `info block`, and what it has done so far. */
function driveText(seen: DriveSeen): string[] {
  const { id, sectors, readOnly, attachedTo, writeCache, noFlush } = seen;
  const cache = `${writeCache ? 'writeback' : 'writethrough'}${noFlush === true ? ', ignore flushes' : ''}`;
  const done = Object.entries(seen.done).map(([op, count]) => `${count} ${op}`);
  const requests = done.length === 0 ? 'none' : done.join(', ');
  return [
    `${id}: ${sectors} sectors (raw${readOnly ? ', read-only' : ''})`,
    ...(attachedTo === undefined ? [] : [`    Attached to:      ${attachedTo}`]),
    `    Cache mode:       ${cache}`,
    `    Requests:         ${requests}; ${seen.failed} failed, ${seen.inFlight} in flight`,
    `    Bytes:            ${seen.bytesRead} read, ${seen.bytesWritten} written; ${seen.unflushed} writes not durable`,
  ];
}

/** What a function was made with. */
const setupOf = (part: PartConfig | undefined): Readonly<Record<string, unknown>> =>
  (part?.pci?.setup ?? {}) as Readonly<Record<string, unknown>>;

export const BLOCK = viewOf({
  usage: 'block',
  help: 'drives: images, devices, requests so far',
  also: ['info block'],
  look({ view }): readonly DriveSeen[] {
    const { config, vmm } = view.machine.state;
    return (config.drives ?? []).map((drive) => {
      const { inFlight, ...state } = vmm.drives[drive.id]!;
      const user = functionsOf(view).find(({ part }) => setupOf(part)['drive'] === drive.id);
      // Its driver may have turned the cache on or off.
      const { writeCache: now } = (user?.state ?? {}) as { readonly writeCache?: string };
      const mode = now === 'as made' ? setupOf(user?.part)['write-cache'] : now;
      const writeCache = mode === 'on' || (mode !== 'off' && drive.writeCache);
      const attachedTo = user === undefined ? undefined : `${objectPath(view, user.part)}/virtio-backend`;
      return structuredClone({ ...drive, ...state, writeCache, attachedTo, inFlight: inFlight.length });
    });
  },
  print: (drives) => (drives.length === 0 ? 'There is no drive.' : drives.flatMap(driveText).join('\n')),
});

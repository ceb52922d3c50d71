import { ENOSPC, errnoName } from '../../base/errno.ts';
import type { DriveConfig, DriveFault, PartConfig } from '../../vmm/config.ts';
import type { DriveState, RequestHeld } from '../../vmm/state.ts';
import { functionsOf, objectPath } from './parts.ts';
import { viewOf } from './view.ts';

/** A drive, what it is attached to, and what was asked of it. */
interface DriveSeen extends DriveConfig, Omit<DriveState, 'inFlight'> {
  readonly attachedTo: string | undefined;
  readonly inFlight: number;
}

/** As QEMU tells of the first request that waits to be asked again. */
const statusOf = ([first]: readonly RequestHeld[]): string => (first?.errno === ENOSPC ? 'nospace' : 'failed');

function faultText({ errno, op, sectors, at, once }: DriveFault): string {
  const { first, count } = sectors ?? { first: 0, count: 0 };
  return [
    `${errnoName(errno)} of ${once ? 'one' : 'any'} ${op ?? 'request'}`,
    ...(sectors === undefined
      ? []
      : [count === 1 ? `at sector ${first}` : `at sectors ${first} to ${first + count - 1}`]),
    ...(at === undefined ? [] : [`from ${at} ns on`]),
  ].join(' ');
}

/** As QEMU's monitor prints it for `info block`, and what it has done so far. */
function driveText(seen: DriveSeen): string[] {
  const { id, sectors, readOnly, attachedTo, writeCache, noFlush, faults = [], spent = [], held = [] } = seen;
  const cache = `${writeCache ? 'writeback' : 'writethrough'}${noFlush === true ? ', ignore flushes' : ''}`;
  const done = Object.entries(seen.done).map(([op, count]) => `${count} ${op}`);
  const requests = done.length === 0 ? 'none' : done.join(', ');
  return [
    `${id}: ${seen.size?.sectors ?? sectors} sectors (raw${readOnly ? ', read-only' : ''})`,
    ...(attachedTo === undefined ? [] : [`    Attached to:      ${attachedTo}`]),
    `    Cache mode:       ${cache}`,
    ...(held.length === 0 ? [] : [`    I/O status:       ${statusOf(held)}`]),
    ...faults.map(
      (fault, at) => `    Fault:            ${faultText(fault)}${spent.includes(at) ? ', has happened' : ''}`,
    ),
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

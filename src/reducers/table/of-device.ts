import type { EventKind, EventOf } from '../../events/vocabulary.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import { changes, type Row, vmm } from '../row.ts';

/** Kinds of events that name the device they are about. */
type KindOfDevice = { [K in EventKind]: EventOf<K> extends { readonly dev: string } ? K : never }[EventKind];

/** An event that changes nothing but the device it names, as that one's reducer says. */
export const ofItsDevice = <K extends KindOfDevice>(): Row<K> =>
  changes(['devices'], vmm(deviceFact<K>((event) => (event as { readonly dev: string }).dev)));

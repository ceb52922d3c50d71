/** Who changed what lies on a disk: by the events alone, without running anything again. */
import type { Work } from '../../base/work.ts';
import { sourceName, type Stamped } from '../../events/stamped.ts';
import {
  type ChangeEvent,
  ChangesOf,
  type ChangeTold,
  type RequestTold,
  tellsOfDrives,
} from '../../replay/disk/drive-events.ts';
import { type SectorsNamed, sectorsText } from '../../replay/disk/drives.ts';
import { describeStamped } from '../../replay/divergence.ts';
import { placeText } from '../look/vantage.ts';
import type { SymbolTable } from '../symbols/symbols.ts';
import { chainOf } from './chain.ts';

/** A recorded run's events, and the names of its addresses. */
export interface TracedRun {
  readonly events: readonly Stamped[];
  readonly symbols: SymbolTable;
}

/** Events looked at between two looks at whether somebody wants to stop. */
const PIECE = 1 << 12;

/** The changes of some sectors over a run, oldest first. */
export function* changesOf(events: Iterable<Stamped>, { drive, ...extent }: SectorsNamed): Work<ChangeTold[]> {
  const reader = new ChangesOf(drive.id, extent);
  let told = 0;
  for (const stamped of events) {
    if (tellsOfDrives(stamped.event.kind)) reader.next(stamped);
    told += 1;
    if (told % PIECE === 0) yield undefined;
  }
  return reader.found;
}

const SHOWN = 40;

/** `history disk:SECTOR[+COUNT]`: every change of it, or the first and the last. */
export function historyText(
  run: TracedRun,
  named: SectorsNamed,
  changes: readonly ChangeTold[],
  isAll = false,
): string {
  const where = `${named.drive.id}, ${sectorsText(named)}`;
  if (changes.length === 0) return `${where}: no write over the run. It holds what the image has.`;
  const head = `${where}: ${changes.length} write${changes.length === 1 ? '' : 's'}`;
  const left = isAll ? 0 : changes.length - SHOWN;
  const rows = (some: readonly ChangeTold[]): string[] => some.flatMap((change) => changeText(run, change));
  if (left <= 0) return [head, ...rows(changes)].join('\n');
  const [first, last] = [changes.slice(0, SHOWN / 2), changes.slice(-SHOWN / 2)];
  return [head, ...rows(first), `  and ${left} more: \`--all\` shows them`, ...rows(last)].join('\n');
}

/** `why disk:SECTOR[+COUNT]`: the last change of it before an event. */
export function lastChangeText(
  run: TracedRun,
  named: SectorsNamed,
  changes: readonly ChangeTold[],
  before: number,
): string {
  const where = `${named.drive.id}, ${sectorsText(named)}`;
  const change = changes.findLast(({ stamped }) => stamped.seq < before);
  if (change === undefined) return `${where} has not been written since power-on. It holds what the image has.`;
  return [
    `${where} was last changed`,
    ...changeText(run, change),
    `\`at #${change.stamped.seq - 1}\` stands before it.`,
  ].join('\n');
}

/** A change: what it was, who asked for it and how, what made it durable. */
function changeText(run: TracedRun, { stamped, request, flushed }: ChangeTold): string[] {
  const { seq, tick, event } = stamped;
  const what = event.kind === 'sim:disk_cleared' ? 'zeroes' : 'written';
  const digest = event.kind === 'sim:disk_written' ? `, digest ${event.digest}` : '';
  return [
    `  #${seq} tick ${tick} ${what} ${sectorsText(extentOf(event))}${digest}`,
    ...(request === undefined ? [] : [`    ${requestText(request)}`, `    ${guestText(run, request)}`]),
    flushed === undefined ? '    durable: no flush came after it' : `    durable: by ${describeStamped(flushed)}`,
  ];
}

const extentOf = ({ offset, len }: ChangeEvent) => ({ offset, length: len });

function requestText({ submitted, element }: RequestTold): string {
  const { dev, op, fua } = submitted.event;
  const through = fua ? ', through the cache' : '';
  const from = element === undefined ? '' : `, queue ${element.event.queue} element ${element.event.elem}`;
  return `request: ${op}${through} of ${dev}${from}, submitted #${submitted.seq} tick ${submitted.tick}`;
}

/** The instruction of the guest that led to it: the one that notified the device, mostly. */
function guestText({ events, symbols }: TracedRun, { submitted }: RequestTold): string {
  const chain = chainOf(events, submitted);
  const exit = chain.findLast(({ event }) => event.kind === 'kvm_exit');
  if (exit?.event.kind !== 'kvm_exit') return `cause: ${describeStamped(chain[0] ?? submitted)}`;
  const address = exit.event.guest_rip;
  const place = placeText({ address, name: symbols.nameOf(address) });
  return `guest: ${place} of ${sourceName(exit.source)}, #${exit.seq} tick ${exit.tick}`;
}

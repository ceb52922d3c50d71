/** What led to a packet: the guest's instruction, and the events between. */
import { sourceName, type Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { MOST_CAUSES } from '../export/chain.ts';

/** A name for an address, where somebody knows one. */
export type NameOf = (address: bigint) => string | undefined;

/** An event and the nearest of what led to it, the first cause first. `events`: a run's, from its first. */
export function nearestCauses(events: readonly Stamped[], stamped: Stamped): Stamped[] {
  const first = events[0]?.seq ?? 0;
  const path = [stamped];
  for (let { cause } = stamped; cause !== undefined && path.length <= MOST_CAUSES; ) {
    const above: Stamped | undefined = events[cause - first];
    if (above === undefined) break;
    path.push(above);
    cause = above.cause;
  }
  return path.reverse();
}

/** The guest's instruction nearest to the end of a path: the one whose exit led there. */
export const exitOf = (path: readonly Stamped[]): Stamped<EventOf<'kvm_exit'>> | undefined =>
  path.findLast((stamped): stamped is Stamped<EventOf<'kvm_exit'>> => stamped.event.kind === 'kvm_exit');

/** `0x... <name>`, whose exit it was and which event tells of it. */
export function instructionText({ event, source, seq }: Stamped<EventOf<'kvm_exit'>>, nameOf: NameOf): string {
  const name = nameOf(event.guest_rip);
  return `0x${event.guest_rip.toString(16)}${name === undefined ? '' : ` <${name}>`} of ${sourceName(source)} #${seq}`;
}

/** A path in a line: what each event is, and its number. */
export const pathText = (path: readonly Stamped[]): string =>
  path.map(({ event, seq }) => `${event.kind} #${seq}`).join(' > ');

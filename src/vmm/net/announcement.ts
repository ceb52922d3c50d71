import { shortly } from '../../base/problem.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { MachineConfig } from '../config.ts';
import { ANNOUNCE, MOST } from '../limits.ts';
import type { NetState } from '../state.ts';

/** Why cards cannot be announced so, as a sentence; undefined: they can. */
export function refusedAnnouncement(
  { net: clients = [] }: MachineConfig,
  net: NetState | undefined,
  asked: Omit<EventOf<'sim:announce_asked'>, 'kind'>,
): string | undefined {
  const cards = clients.filter(({ type, of }) => type === 'nic' && of === undefined).map(({ name }) => name);
  if (cards.length === 0) return 'There is no network card to announce.';
  const stranger = asked.interfaces.split(',').find((each) => !cards.includes(each));
  if (asked.interfaces !== '' && stranger !== undefined) {
    return `There is no network card '${shortly(stranger)}' to announce. There are ${cards.join(', ')}.`;
  }
  for (const [name, [least, most]] of Object.entries(ANNOUNCE)) {
    const value = asked[name as keyof typeof ANNOUNCE];
    if (value < least || value > most) return `announce-${name} is ${least} to ${most}, not ${value}.`;
  }
  if (asked.id.length > MOST.driveId) return `The id of an announcement has at most ${MOST.driveId} characters.`;
  const others = (net?.announcing ?? []).filter(({ id }) => id !== asked.id);
  return others.length < MOST.announcements ? undefined : `${MOST.announcements} announcements are under way already.`;
}

import { fromLatin1, latin1 } from '../../base/bytes.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { putNumber } from '../../packets/layout.ts';
import { type DatagramName, FRAGMENT_LIFE, type Fragment, type PartialDatagram } from './state.ts';

/** Whether these are parts of one datagram. */
export const isSame = (a: DatagramName, b: DatagramName): boolean =>
  a.id === b.id && a.source === b.source && a.destination === b.destination && a.protocol === b.protocol;

/** The part of a datagram that a fact says lies in a packet: its header from `begins` on, then `len` bytes of it. */
export function fragmentAt(
  packet: string,
  { offset, more, begins, header, len }: Pick<EventOf<'sim:fragment_kept'>, FragmentPlace>,
): Fragment {
  const end = begins + header;
  return { offset, more, header: packet.slice(begins, end), bytes: packet.slice(end, end + len) };
}

type FragmentPlace = 'offset' | 'more' | 'begins' | 'header' | 'len';

/** Without its first bytes. */
const without = (fragment: Fragment, bytes: number): Fragment => ({
  ...fragment,
  offset: fragment.offset + bytes,
  bytes: fragment.bytes.slice(bytes),
});

const endOf = ({ offset, bytes }: Fragment): number => offset + bytes.length;

/**
 * Fragments with one more in its place: what those before it have is theirs, what it has of those after it is its own.
 * As libslirp does.
 */
export function withFragment(fragments: readonly Fragment[], fragment: Fragment): readonly Fragment[] {
  const place = fragments.findIndex(({ offset }) => offset > fragment.offset);
  const before = place < 0 ? fragments : fragments.slice(0, place);
  const after = place < 0 ? [] : fragments.slice(place);
  const last = before.at(-1);
  const known = last === undefined ? 0 : Math.max(0, endOf(last) - fragment.offset);
  const isEmpty = fragment.bytes === '' && last?.bytes === '' && last.offset === fragment.offset;
  if (isEmpty || (known > 0 && known >= fragment.bytes.length)) return fragments;
  const kept = without(fragment, known);
  const [next, ...others] = after.filter((other) => other.offset >= endOf(kept) || endOf(other) > endOf(kept));
  if (next === undefined) return [...before, kept];
  return [...before, kept, without(next, Math.max(0, endOf(kept) - next.offset)), ...others];
}

const TOS_AT = 1;
const LENGTH_AT = 2;
const FLAGS_AT = 6;

/** The packet they make, a byte a character: its header is that of the first, told whole. */
export function joinedFragments(fragments: readonly Fragment[]): string {
  const payload = fragments.map(({ bytes }) => bytes).join('');
  const header = fromLatin1(fragments[0]?.header ?? '');
  if (header.length > FLAGS_AT + 1) {
    header[TOS_AT]! &= ~1;
    putNumber(header, FLAGS_AT, 2, 0);
    putNumber(header, LENGTH_AT, 2, header.length + payload.length);
  }
  return latin1(header) + payload;
}

/** The datagram as it stands with one part more; undefined: there is none of it yet, or it has waited too long. */
export const partialOf = (partial: readonly PartialDatagram[], name: DatagramName, now: number) =>
  partial.find((datagram) => isSame(datagram, name) && now - datagram.since < FRAGMENT_LIFE);

/** Whether nothing is missing. */
export function isWhole(fragments: readonly Fragment[]): boolean {
  let end = 0;
  for (const fragment of fragments) {
    if (fragment.offset !== end) return false;
    end = endOf(fragment);
  }
  return fragments.at(-1)?.more === false;
}

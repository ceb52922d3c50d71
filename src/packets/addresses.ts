/**
 * Addresses are numbers: an Ethernet address has 48 bits, an IPv4 address 32; an IPv6 address is a bigint of 128. So
 * they are compared by `===`, lie in a state as they are, and are text only for people.
 */

/** Everybody on the link. */
export const ETHERNET_BROADCAST = 0xffff_ffff_ffff;

/** Everybody, whatever the network. */
export const IPV4_BROADCAST = 0xffff_ffff;

/** An Ethernet address as `52:54:00:12:34:56`. */
export const ethernetText = (address: number): string =>
  address
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?!$)/g, '$&:');

/** The inverse of `ethernetText`; undefined for what is no such address. */
export const ethernetOf = (text: string): number | undefined =>
  /^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)
    ? text.split(':').reduce((sum, byte) => sum * 0x100 + Number.parseInt(byte, 16), 0)
    : undefined;

/** An IPv4 address as `10.0.2.2`. */
export const ipv4Text = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');

/** The inverse of `ipv4Text`; undefined for what is no such address. */
export function ipv4Of(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte < 0x100) ? bytes.reduce((sum, byte) => sum * 0x100 + byte, 0) : undefined;
}

const groupsOf = (address: bigint): number[] =>
  Array.from({ length: 8 }, (_, at) => Number((address >> BigInt(112 - 16 * at)) & 0xffffn));

/** Where the longest run of zero groups is, of two at least; the first of those as long. */
function longestZeroes(groups: readonly number[]): readonly [from: number, length: number] {
  let best: readonly [number, number] = [-1, 1];
  for (let from = 0; from < groups.length; from++) {
    let length = 0;
    while (groups[from + length] === 0) length++;
    if (length > best[1]) best = [from, length];
  }
  return best;
}

/** An IPv6 address as RFC 5952 writes it: `fec0::2`. */
export function ipv6Text(address: bigint): string {
  const groups = groupsOf(address);
  const [from, length] = longestZeroes(groups);
  const text = (some: readonly number[]): string => some.map((group) => group.toString(16)).join(':');
  return from < 0 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`;
}

/** An IPv4 address at the end stands for the last two groups. */
function withoutDots(text: string): string | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted === null) return text;
  const tail = ipv4Of(dotted[2]!);
  return tail === undefined ? undefined : `${dotted[1]}${(tail >>> 16).toString(16)}:${(tail & 0xffff).toString(16)}`;
}

/** The inverse of `ipv6Text`, for every spelling of RFC 4291; undefined for what is no such address. */
export function ipv6Of(text: string): bigint | undefined {
  const halves = withoutDots(text)?.split('::');
  if (halves === undefined || halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const left = 8 - head.length - tail.length;
  if (halves.length === 1 ? left !== 0 : left < 1) return undefined;
  const groups = [...head, ...Array.from({ length: left }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}

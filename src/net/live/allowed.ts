/** Whether a person has named whom a guest speaks to. */
import { IPV4_BROADCAST } from '../../packets/addresses.ts';
import type { Address } from '../tcp/connection.ts';
import type { UserNet } from '../user/part.ts';
import { hostAt } from '../world/world.ts';
import { type LiveRule, NAME } from './rules.ts';

const LOOPBACK = 0x7f00_0001;
const LOOPBACK_6 = 1n;
const GROUPS = 224;

/** Where an address of the guest's network leads to outside: the gateway's to the host itself. undefined: nowhere. */
export function outsideOf({ network }: UserNet, address: Address): Address | undefined {
  if (address === network.host) return LOOPBACK;
  if (address === network.host6) return LOOPBACK_6;
  if (typeof address === 'bigint') {
    const isOwn = (address ^ network.prefix6) >> BigInt(128 - network.prefixLength) === 0n;
    const isSpecial = address >> 32n === 0n || address >> 120n === 0xffn || address >> 118n === 0x3fan;
    // An address of IPv4 in one of IPv6 would be another way round.
    return isOwn || isSpecial || address >> 32n === 0xffffn ? undefined : address;
  }
  const first = address >>> 24;
  const isOwn = (address & network.mask) >>> 0 === network.network;
  const isSpecial = first === 0 || first === 127 || first >= GROUPS || address === IPV4_BROADCAST;
  return isOwn || isSpecial ? undefined : address;
}

/** The names a rule may have for the host itself, beside its addresses. */
const isHostItself = ({ network }: UserNet, host: LiveRule['host']): boolean =>
  host === 'localhost' || host === LOOPBACK || host === LOOPBACK_6 || host === network.host || host === network.host6;

/** Whether a person has named a destination of the guest's. */
export function isAllowed(net: UserNet, address: Address, port: number): boolean {
  const { live } = net.network;
  const outside = net.setup.restrict ? undefined : outsideOf(net, address);
  if (outside === undefined || port === 0) return false;
  if (live === 'any') return true;
  const isLocal = outside === LOOPBACK || outside === LOOPBACK_6;
  return live.some(({ host, port: only }) => {
    if (only !== undefined && only !== port) return false;
    if (isLocal) return isHostItself(net, host);
    return host === outside || (typeof host === 'string' && isCalled(net, host, outside));
  });
}

/** Whether a port of TCP is one that the host is to connect to: nobody of the world's has the address. */
export const isOutside = (net: UserNet, address: Address, port: number): boolean =>
  isAllowed(net, address, port) &&
  hostAt(net.setup.world, address) === undefined &&
  !net.network.forwards.some((rule) => rule.address === address);

/** Whether the resolver has said that a name stands for an address. */
const isCalled = ({ state }: UserNet, name: string, address: Address): boolean =>
  state.live.names.some((known) => known.name === name && known.address === address);

/** Whether the host may be asked what a name stands for. */
export function isNameAllowed({ network: { live }, setup }: UserNet, name: string): boolean {
  if (setup.restrict || name.length === 0) return false;
  return live === 'any' ? NAME.test(name) : live.some(({ host }) => host === name && host !== 'localhost');
}

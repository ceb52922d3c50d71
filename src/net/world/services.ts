/** Who answers where: the hosts of a world, and what `guestfwd=` leads to. */
import type { Address } from '../tcp/connection.ts';
import { type Forward, programOf } from '../user/forwards.ts';
import type { UserNet } from '../user/part.ts';
import { builtinOf, hostAt, type Service, serviceOf } from './world.ts';

/** `builtin:echo`: what a rule of `guestfwd=` leads to; undefined: nothing there is. */
function builtin(to: string, port: number): Service | undefined {
  const kind = builtinOf(to);
  return kind === undefined ? undefined : { kind, port, protocol: 'tcp' };
}

/** Who a rule leads to where a guest speaks to this address and port. */
const forwardAt = ({ network }: UserNet, address: Address, port: number): Forward | undefined =>
  network.forwards.find((rule) => rule.address === address && rule.port === port);

/** The command line of the program of the host's that answers on a port of TCP; undefined: none does. */
export function programAt(net: UserNet, address: Address, port: number): string | undefined {
  const forward = forwardAt(net, address, port);
  return forward === undefined ? undefined : programOf(forward);
}

/** Who answers on a port of TCP; undefined: nobody. Where a guest is restricted, only what forwarding leads to. */
export function serviceAt(net: UserNet, address: Address, port: number): Service | undefined {
  const { setup } = net;
  const forward = forwardAt(net, address, port);
  if (forward !== undefined) return builtin(forward.to, port);
  return setup.restrict ? undefined : serviceOf(setup.world, address, port, 'tcp');
}

/** Whether an address of TCP is somebody's, who refuses what he does not serve. */
export const refuses = ({ network, setup }: UserNet, address: Address): boolean =>
  setup.restrict ||
  [network.host, network.dns, network.host6, network.dns6].includes(address) ||
  network.forwards.some((rule) => rule.address === address) ||
  hostAt(setup.world, address) !== undefined;

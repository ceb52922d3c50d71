/** Who hears whom, as a machine was made. */
import { HUBPORT, isTap, type NetClientConfig, PORT } from '../../vmm/config.ts';

/**
 * Clients at the other end of a client's wire: one, or behind a hub or a bridge all that are on it. None: nobody hears
 * it. A port of either, and a tap that is a bridge's, have no name of their own here: who is behind them has.
 */
export function farEnds(clients: readonly NetClientConfig[], name: string): readonly string[] {
  const named = (other: string | undefined): NetClientConfig | undefined => clients.find((each) => each.name === other);
  const client = named(name);
  const peer = named(client?.peer);
  if (peer === undefined) return [];
  const port = peer.type === PORT ? peer : portOf(clients, peer);
  if (client?.type === PORT) return [...new Set(behindPort(clients, client, new Set()))];
  if (port !== undefined) return [...new Set(behindBridge(clients, port, new Set()))];
  if (peer.type !== HUBPORT) return [peer.name];
  const others = clients.filter(
    ({ type, hub, name: port }) => type === HUBPORT && hub === peer.hub && port !== peer.name,
  );
  return others.flatMap((port) => named(port.peer)?.name ?? []);
}

/** The port of a bridge that leads to a tap; undefined: it is no tap, or of no bridge. */
export const portOf = (clients: readonly NetClientConfig[], tap: NetClientConfig): NetClientConfig | undefined =>
  isTap(tap) ? clients.find(({ type, peer }) => type === PORT && peer === (tap.of ?? tap.name)) : undefined;

/** Who hears what a bridge hands on of what came in at a port. */
function behindBridge(
  clients: readonly NetClientConfig[],
  port: NetClientConfig,
  seen: Set<string>,
): readonly string[] {
  if (seen.has(port.bridge!)) return [];
  seen.add(port.bridge!);
  const others = clients.filter(
    ({ type, bridge, name }) => type === PORT && bridge === port.bridge && name !== port.name,
  );
  return others.flatMap((other) => behindPort(clients, other, seen));
}

function behindPort(
  clients: readonly NetClientConfig[],
  { peer: to }: NetClientConfig,
  seen: Set<string>,
): readonly string[] {
  const peer = clients.find(({ name }) => name === to);
  if (peer === undefined) return [];
  if (peer.type === PORT) return behindBridge(clients, peer, seen);
  return isTap(peer) ? (peer.peer === undefined ? [] : [peer.peer]) : [peer.name];
}

/** Clients that are no port of a hub or a bridge: NICs and backends. */
export const endsOf = (clients: readonly NetClientConfig[]): readonly NetClientConfig[] =>
  clients.filter(({ type }) => type !== HUBPORT && type !== PORT);

/** Who hears whom, as a machine was made. */
import { HUBPORT, type NetClientConfig } from '../../vmm/config.ts';

/**
 * Clients at the other end of a client's wire: one, or behind a hub all that are on it. None: nobody hears it. A port
 * of a hub has no name of its own here: who is behind it has.
 */
export function farEnds(clients: readonly NetClientConfig[], name: string): readonly string[] {
  const named = (other: string | undefined): NetClientConfig | undefined => clients.find((each) => each.name === other);
  const peer = named(named(name)?.peer);
  if (peer === undefined) return [];
  if (peer.type !== HUBPORT) return [peer.name];
  const others = clients.filter(
    ({ type, hub, name: port }) => type === HUBPORT && hub === peer.hub && port !== peer.name,
  );
  return others.flatMap((port) => named(port.peer)?.name ?? []);
}

/** Clients that are no port of a hub: NICs and backends. */
export const endsOf = (clients: readonly NetClientConfig[]): readonly NetClientConfig[] =>
  clients.filter(({ type }) => type !== HUBPORT);

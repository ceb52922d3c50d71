/** The keys by which guests know the servers of a world. */
import { base64, fromHexadecimal } from '../../../base/bytes.ts';
import type { Host, Service, World } from '../world.ts';
import { HOST_KEY, publicKeyBlob, sha256 } from './key-exchange.ts';
import { utf8 } from './wire.ts';

const PORT = 22;

/** The private key, 32 bytes: the one its service says, or one that follows from the host's name and the port. */
export function hostKeyOf({ name, addresses }: KeyOwner, { hostKey, port }: KeyUse): Uint8Array {
  if (hostKey !== undefined) return fromHexadecimal(hostKey);
  return sha256(utf8(`Retrovisor's ssh, ${name ?? addresses[0]}, port ${port}`));
}

type KeyOwner = Pick<Host, 'name' | 'addresses'>;
type KeyUse = Pick<Service, 'port' | 'hostKey'>;

/** What OpenSSH shows of a key before it is known. */
export const fingerprintOf = (host: KeyOwner, service: KeyUse): string =>
  `SHA256:${base64(sha256(publicKeyBlob(hostKeyOf(host, service)))).replace(/=+$/, '')}`;

/** Lines for a guest's `known_hosts`: one for each server of SSH in a world. */
export const knownHosts = ({ hosts = [] }: World): readonly string[] =>
  hosts.flatMap((host) =>
    (host.services ?? [])
      .filter(({ kind }) => kind === 'ssh')
      .map((service) => `${namesOf(host, service)} ${HOST_KEY} ${base64(publicKeyBlob(hostKeyOf(host, service)))}`),
  );

const namesOf = ({ name, addresses }: KeyOwner, { port }: KeyUse): string =>
  [...(name === undefined ? [] : [name]), ...addresses]
    .map((each) => (port === PORT ? each : `[${each}]:${port}`))
    .join();

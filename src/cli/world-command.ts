/** `retrovisor world`: what a file of a network's world says. */
import { NODE } from '../host/node.ts';
import { fingerprintOf, knownHosts } from '../net/world/ssh/host-key.ts';
import { readWorld } from '../runs/machine/written-file.ts';
import type { Print } from './trace-commands.ts';

export interface WorldForm {
  /** Lines for a guest's `~/.ssh/known_hosts`. */
  readonly knownHosts?: boolean;
}

/** Check a world's file and print whom it has. Throws a Problem that names the line which cannot be understood. */
export function printWorld(path: string, form: WorldForm, print: Print): void {
  const world = readWorld(path, NODE.images.read('world', path));
  if (form.knownHosts === true) {
    for (const line of knownHosts(world)) print(line);
    return;
  }
  for (const host of world.hosts ?? []) {
    const { name = '', addresses, services = [] } = host;
    print([name, ...addresses].filter((each) => each !== '').join(' '));
    for (const service of services) {
      const { kind, port, protocol = kind === 'ntp' ? 'udp' : 'tcp' } = service;
      const key = kind === 'ssh' ? ` ED25519 ${fingerprintOf(host, service)}` : '';
      print(`  ${port}/${protocol} ${kind}${key}`);
    }
  }
}

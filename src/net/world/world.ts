/** Who is at the other end of the wire, as a person describes it: a plain value that a trace's header has. */
import { own } from '../../base/own.ts';
import { ipv4Of, ipv6Of } from '../../packets/addresses.ts';
import type { Address } from '../tcp/connection.ts';

/** What a name stands for: `value` is an address, or for CNAME and PTR another name. */
export interface NameRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR';
  readonly value: string;
  /** Seconds. */
  readonly ttl?: number;
}

/** A file of a folder that is served: what `effects.fileBytes` calls it, and what it holds. */
export interface WorldFile {
  readonly file: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: string;
}

/** What may be on a port. */
export const SERVICE_KINDS = ['http', 'ssh', 'echo', 'sink', 'discard', 'chargen', 'daytime', 'ntp'] as const;

export type ServiceKind = (typeof SERVICE_KINDS)[number];

/** What `builtin:echo` of a rule of `guestfwd=` names; undefined: nothing there is. Of TCP. */
export const builtinOf = (to: string): ServiceKind | undefined => BUILTINS.find((kind) => to === `builtin:${kind}`);

/** What a rule may name: of others there is more to say. */
export const BUILTINS: readonly ServiceKind[] = SERVICE_KINDS.filter((kind) => kind !== 'ntp' && kind !== 'ssh');

/** Somebody who may come in by ssh: with nothing said, by asking. */
export interface SshUser {
  readonly name: string;
  readonly password?: string;
  /** Public keys as `~/.ssh/authorized_keys` has them: `ssh-ed25519 AAAA... whose`. */
  readonly keys?: readonly string[];
}

/** What is run by ssh. */
export interface SshCommand {
  /** The whole line. */
  readonly command: string;
  /** echo: it says what it hears; hash: at the end it says the SHA-256 of that. Default: it says what is said here. */
  readonly does?: 'say' | 'echo' | 'hash';
  readonly output?: string;
  /** To standard error. */
  readonly errors?: string;
  /** What it ends with. Default: 0. */
  readonly status?: number;
}

export interface Service {
  readonly kind: ServiceKind;
  readonly port: number;
  /** Default: tcp, and of ntp udp. */
  readonly protocol?: 'tcp' | 'udp';
  /** Of http: its files by their paths, `/index.html`. */
  readonly files?: Readonly<Record<string, WorldFile>>;
  /** Of ssh: who may come in, what there is to be run, the host's private key (Ed25519's seed, as digits). */
  readonly users?: readonly SshUser[];
  readonly commands?: readonly SshCommand[];
  readonly hostKey?: string;
  /** Of TCP: after so many bytes, in both directions, it says and takes nothing any more. */
  readonly stallAfter?: number;
  /** Of TCP: after so many bytes, in both directions, it resets the connection. */
  readonly resetAfter?: number;
}

/** What happens on the way between a host and the guest. Chances are of 0 to 1, for each packet. */
export interface LinkRules {
  /** Nanoseconds to the guest, and those drawn on top of them for each packet. */
  readonly latency?: number;
  readonly jitter?: number;
  /** Bits a second to the guest, of each connection. */
  readonly bandwidth?: number;
  /** In both directions. */
  readonly loss?: number;
  readonly duplicate?: number;
  /** A packet is overtaken by those behind it. */
  readonly reorder?: number;
  /** Bytes of an IP packet: 68 to 1,500. */
  readonly mtu?: number;
}

/** One step of what a host does with a connection. */
export type Step =
  | { readonly do: 'send'; readonly text: string }
  /** Go on once this was heard, anywhere in what came since the last step that expected something. */
  | { readonly do: 'expect'; readonly text: string }
  | { readonly do: 'wait'; readonly for: number }
  | { readonly do: 'close' };

/** A host connects to the guest. */
export interface Call {
  /** Nanoseconds since power-on. */
  readonly at: number;
  /** The guest's address, and the port that is called. */
  readonly to: string;
  readonly port: number;
  /** Where nobody answers: try again after so many nanoseconds. Absent: no more. */
  readonly retry?: number;
  readonly steps: readonly Step[];
}

export interface Host {
  /** What the resolver knows it by, beside the world's names. */
  readonly name?: string;
  /** Of IPv4 or IPv6. */
  readonly addresses: readonly string[];
  readonly services?: readonly Service[];
  readonly calls?: readonly Call[];
  /** Instead of the world's. */
  readonly link?: LinkRules;
}

/** Who is at the other end of the wire. */
export interface World {
  readonly names?: readonly NameRecord[];
  readonly hosts?: readonly Host[];
  readonly link?: LinkRules;
  /** What time it is at power-on for its hosts: seconds since 1970. Absent: what it is for the machine. */
  readonly time?: number;
}

/** The address a text is; -1, which is nobody's, where it is none. */
export const addressOf = (text: string): Address => ipv4Of(text) ?? ipv6Of(text) ?? -1;

/** What a world's names stand for: those it says, and its hosts' own. */
export function namesOf(world: World | undefined): readonly NameRecord[] {
  const ofHosts = (world?.hosts ?? []).flatMap(({ name, addresses }) =>
    name === undefined
      ? []
      : addresses.map(
          (value): NameRecord => ({ name, type: typeof addressOf(value) === 'bigint' ? 'AAAA' : 'A', value }),
        ),
  );
  return [...(world?.names ?? []), ...ofHosts];
}

/** By address, as text says it: worlds are plain values, and packets have numbers. Saves time, and is no state. */
const HOSTS = new WeakMap<World, ReadonlyMap<Address, Host>>();

function hostsOf(world: World): ReadonlyMap<Address, Host> {
  const known = HOSTS.get(world);
  if (known !== undefined) return known;
  const rows = (world.hosts ?? []).flatMap((host) => host.addresses.map((text) => [addressOf(text), host] as const));
  const hosts = new Map(rows);
  HOSTS.set(world, hosts);
  return hosts;
}

export const hostAt = (world: World | undefined, address: Address): Host | undefined =>
  world === undefined ? undefined : hostsOf(world).get(address);

/** Who answers on a port; undefined: nobody. */
export const serviceOf = (
  world: World | undefined,
  address: Address,
  port: number,
  protocol: 'tcp' | 'udp',
): Service | undefined =>
  hostAt(world, address)?.services?.find((service) => service.port === port && protocolOf(service) === protocol);

const protocolOf = ({ kind, protocol }: Service): 'tcp' | 'udp' => protocol ?? (kind === 'ntp' ? 'udp' : 'tcp');

/** The file a path of an HTTP server names. */
export const fileAt = ({ files = {} }: Service, path: string): WorldFile | undefined => own(files, path);

/** The rules of the way to a host. */
export const linkTo = (world: World | undefined, host: Address): LinkRules =>
  hostAt(world, host)?.link ?? world?.link ?? {};

/** A call, the host that makes it, by its number among all of the world's. */
export function callsOf(world: World | undefined): readonly { readonly host: Host; readonly call: Call }[] {
  return (world?.hosts ?? []).flatMap((host) => (host.calls ?? []).map((call) => ({ host, call })));
}

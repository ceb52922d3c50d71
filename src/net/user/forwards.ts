import { Problem } from '../../base/problem.ts';
import { ipv4Text } from '../../packets/addresses.ts';
import { BUILTINS, builtinOf } from '../world/world.ts';
import { commandWords } from './command-words.ts';
import { inetAton } from './inet-aton.ts';

/** An address and port of the network that lead to a service: `guestfwd=tcp:ADDRESS:PORT-TO`. */
export interface Forward {
  readonly address: number;
  readonly port: number;
  /** What `TO` says: `builtin:http`, `cmd:PROGRAM ARGUMENT...`. */
  readonly to: string;
}

const COMMAND = 'cmd:';

/** The command line of a program of the host's that is run for each connection; undefined: it leads elsewhere. */
export const programOf = ({ to }: Forward): string | undefined =>
  to.startsWith(COMMAND) ? to.slice(COMMAND.length) : undefined;

/** A port of the host's that leads to the guest: `hostfwd=tcp:HOST:PORT-GUEST:PORT`. */
export interface HostForward {
  readonly protocol: 'tcp' | 'udp';
  /** 0: all of the host's. */
  readonly hostAddress: number;
  readonly hostPort: number;
  /** 0: the first that DHCP gives out. */
  readonly guestAddress: number;
  readonly guestPort: number;
}

/** The network they are in. */
interface Place {
  readonly network: number;
  readonly mask: number;
  readonly host: number;
  readonly dns: number;
}

/** Whether a rule, as it is written, leads to a program of the host's. */
export const leadsToProgram = (rule: string): boolean => splitRule(rule)?.to.startsWith(COMMAND) === true;

/** The parts of a rule; undefined: it is none. */
function splitRule(rule: string): { readonly where: string; readonly digits: string; readonly to: string } | undefined {
  const said = /^(?:tcp)?:([^:]*):(\d+)-(.*)$/s.exec(rule);
  return said === null ? undefined : { where: said[1]!, digits: said[2]!, to: said[3]! };
}

function guestForwardOf(rule: string, { network, mask }: Place): Forward {
  const said = splitRule(rule);
  const { where, digits, to } = said ?? { where: '', digits: '', to: '' };
  const address = where === '' ? (network | (0x0204 & ~mask)) >>> 0 : inetAton(where);
  const port = Number(digits);
  if (said === undefined || address === undefined || port < 1 || port > 0xffff) {
    throw new Problem(`Invalid guest forwarding rule '${rule}': it is tcp:ADDRESS:PORT-WHERE`);
  }
  const forward = { address, port, to };
  const program = programOf(forward);
  if (program !== undefined) {
    if (commandWords(program) !== undefined) return forward;
    throw new Problem(`guest forwarding rule '${rule}' names no program, or a quotation mark in it is not closed`);
  }
  if (builtinOf(to) === undefined) {
    const known = `builtin:${BUILTINS.join(', builtin:')} or cmd:PROGRAM`;
    throw new Problem(`guest forwarding rule '${rule}' leads nowhere: name ${known}`);
  }
  return forward;
}

/** What `guestfwd=` says. Throws a Problem for a rule that cannot be, or one that is in another's way. */
export function guestForwardsOf(rules: readonly string[], place: Place): readonly Forward[] {
  const forwards: Forward[] = [];
  for (const rule of rules) {
    const forward = guestForwardOf(rule, place);
    const { address, port } = forward;
    const isOutside = (address & place.mask) >>> 0 !== place.network;
    const isTaken = forwards.some((other) => other.address === address && other.port === port);
    if (isOutside || isTaken || address === place.host || address === place.dns) {
      const where = `${ipv4Text(address)}:${port}`;
      throw new Problem(`Conflicting/invalid host:port in guest forwarding rule '${rule}': ${where}`);
    }
    forwards.push(forward);
  }
  return forwards;
}

/** A port as strtol(3) reads it: no digits are 0. */
function portOf(text: string, least: number): number | undefined {
  const [, digits] = /^\s*[+]?(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.exec(text) ?? [];
  if (digits === undefined && text !== '') return undefined;
  const port = digits === undefined ? 0 : /^0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return port < least || port > 0xffff ? undefined : port;
}

/** What a rule of `hostfwd=` says. Throws a Problem for one that cannot be. */
export function hostForwardOf(rule: string): HostForward {
  const because = (reason: string): Problem => new Problem(`Invalid host forwarding rule '${rule}' (${reason})`);
  const [protocol, rest] = cut(rule, ':');
  if (rest === undefined) throw because('No : separators');
  if (!['tcp', 'udp', ''].includes(protocol)) throw because('Bad protocol name');
  const [host, afterHost] = cut(rest, ':');
  if (afterHost === undefined) throw because('Missing : separator');
  const hostAddress = host === '' ? 0 : inetAton(host);
  if (hostAddress === undefined) throw because('Bad host address');
  const [digits, afterPort] = cut(afterHost, '-');
  if (afterPort === undefined) throw because('Bad host port separator');
  const hostPort = portOf(digits, 0);
  if (hostPort === undefined) throw because('Bad host port');
  const [guest, guestDigits] = cut(afterPort, ':');
  if (guestDigits === undefined) throw because('Missing guest address');
  const guestAddress = guest === '' ? 0 : inetAton(guest);
  if (guestAddress === undefined) throw because('Bad guest address');
  const guestPort = portOf(guestDigits, 1);
  if (guestPort === undefined) throw because('Bad guest port');
  return { protocol: protocol === 'udp' ? 'udp' : 'tcp', hostAddress, hostPort, guestAddress, guestPort };
}

/** What stands before a character and what after; undefined: there is none. */
function cut(text: string, at: string): readonly [before: string, after: string | undefined] {
  const place = text.indexOf(at);
  return place < 0 ? [text, undefined] : [text.slice(0, place), text.slice(place + 1)];
}

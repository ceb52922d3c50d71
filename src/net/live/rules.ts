/** Whom a guest may reach by sockets of the host's: what `live=` says. */
import { Problem, shortly } from '../../base/problem.ts';
import { ipv4Of, ipv6Of } from '../../packets/addresses.ts';
import type { Address } from '../tcp/connection.ts';

/** A host by its address or its name, and a port; undefined: any of its ports. */
export interface LiveRule {
  readonly host: Address | string;
  readonly port: number | undefined;
}

/** `any`: everybody the host's own network reaches, and the host. */
export type LiveRules = 'any' | readonly LiveRule[];

const MOST_RULES = 64;

/** A name of DNS, in small letters. */
export const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)*\.?$/;

const HOW = 'it is any, or HOST or HOST:PORT with + between, an address of IPv6 in brackets';

function ruleOf(text: string, all: string): LiveRule {
  const because = (why: string): Problem => new Problem(`live=${shortly(all)}: ${why}; ${HOW}`);
  const [, bracketed, plain = '', digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d+))?$/.exec(text) ?? [];
  const name = (bracketed ?? plain).toLowerCase();
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 0xffff)) throw because(`${shortly(digits!)} is no port`);
  if (bracketed !== undefined) {
    const host = ipv6Of(bracketed);
    if (host === undefined) throw because(`${shortly(bracketed)} is no address of IPv6`);
    return { host, port };
  }
  if (name === 'any') throw because('any stands alone');
  const address = ipv4Of(name);
  if (address !== undefined) return { host: address, port };
  // The last part of a name is not of digits alone, or it would be an address that is none.
  if (!NAME.test(name) || /(^|\.)\d+\.?$/.test(name)) throw because(`${shortly(text)} names no host`);
  return { host: name.replace(/\.$/, ''), port };
}

/** Throws a Problem for what names nobody. */
export function liveRulesOf(text: string): LiveRules {
  if (text === '') return [];
  if (text === 'any') return 'any';
  const rules = text.split('+');
  if (rules.length > MOST_RULES) throw new Problem(`live= names more than ${MOST_RULES} hosts: say any`);
  return rules.map((rule) => ruleOf(rule, text));
}

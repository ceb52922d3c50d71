/** A file that says which machines there are in a run, and what joins them. */
import { Problem } from '../base/problem.ts';
import { virtualNs } from '../base/virtual-time.ts';
import type { Link, LinkEnd } from '../runs/fabric/links.ts';
import {
  MACHINE_FILE,
  type WrittenCable,
  type WrittenMachines as Written,
  type WrittenOptions as Options,
} from '../runs/fabric/written-machines.ts';
import type { Plan, PlannedMachine } from '../runs/fabric/open-fabric.ts';
import type { CharacterBackend, RunOptions } from '../runs/machine/run-options.ts';
import { readWritten, type WrittenFile } from '../runs/machine/written-file.ts';
import { backendName } from '../vmm/pc/net-parts.ts';
import { bridgesAsked, type ForAll } from './machine-bridges.ts';
import { runOptions } from './run-arguments.ts';

/** Of a cable nobody said how long a frame takes. */
const USUAL_LATENCY_NS = 50_000;

/** Understand the file of a run of several machines. Throws a Problem that names the line of what is wrong. */
export function machinesAsked(name: string, bytes: Uint8Array, all: ForAll): Plan {
  const file = readWritten(name, 'a file of machines', bytes, MACHINE_FILE);
  const { common = {}, machines: written, cables = [], servers = [] } = file.value;
  refuseServers(file, servers);
  const macs = new Map<string, string>();
  const consoles = new Map<string, string>();
  const machines = Object.entries(written).map(([machine, own]): PlannedMachine => {
    const options = optionsOf(file, { machine, common, own, macsOfOthers: macs.keys() }, all);
    keepMacs(file, { machine, options, macs });
    keepConsoles(file, { machine, options, consoles });
    return { name: machine, options, serves: servers.includes(machine) };
  });
  const links = cables.map((cable, at) => linkOf(file, machines, cable, at));
  refuseSharedEnds(file, links);
  const bridged = bridgesAsked(file, machines, all);
  return {
    machines: [...bridged.machines.map(faultsOf(cables, links)), ...bridged.bridges],
    links: [...links, ...bridged.links],
    warnings: bridged.warnings,
    trace: all.trace,
  };
}

/** Who serves is there, and somebody else is. */
function refuseServers(file: WrittenFile<Written>, servers: readonly string[]): void {
  const names = Object.keys(file.value.machines);
  const at = servers.findIndex((name) => !names.includes(name));
  if (at >= 0) throw file.problemAt(['servers', at], `there is no machine ${servers[at]}`);
  if (names.every((name) => servers.includes(name)))
    throw file.problemAt(['servers'], 'all machines are: the run would be over at once');
}

/** Options that are about a run, which all machines share. */
const OF_THE_RUN: ReadonlySet<string> = new Set(['trace', 'trace-pieces', 'checkpoints', 'gdb', 's', 'quiet']);

/** What is asked of a machine. */
interface Asked {
  readonly machine: string;
  readonly common: Options;
  readonly own: Options;
  readonly macsOfOthers: Iterable<string>;
}

function optionsOf(
  file: WrittenFile<Written>,
  { machine, common, own, macsOfOthers }: Asked,
  { seed, wallClock }: ForAll,
): RunOptions {
  const place = (option: string): string[] =>
    option in own ? ['machines', machine, option] : option in common ? ['common', option] : ['machines', machine];
  const all = { 'wall-clock': wallClock, seed: `${seed}/${machine}`, ...common, ...own };
  for (const option of Object.keys(all)) {
    if (!OF_THE_RUN.has(option)) continue;
    throw file.problemAt(place(option), `${machine}: ${option} is of the whole run, not of a machine`);
  }
  try {
    return runOptions([...Object.entries(all).flatMap(argumentsOf), '--no-trace'], { macsOfOthers });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const named = [...error.message.matchAll(/(?<![\w-])--?([A-Za-z][\w-]*)/g)].map(([, name]) => name as string);
    const option = named.find((name) => name in all) ?? '';
    throw file.problemAt(place(option), `${machine}: ${error.message.replace(/\.$/, '')}`);
  }
}

function argumentsOf([option, value]: readonly [string, Options[string]]): string[] {
  const name = option.length === 1 ? `-${option}` : `--${option}`;
  if (typeof value === 'boolean') return value ? [name] : [];
  return (Array.isArray(value) ? value : [`${value}`]).flatMap((each) => [name, each]);
}

/** `alice:n0`: the network of that name of that machine. */
function endOf(file: WrittenFile<Written>, machines: readonly PlannedMachine[], text: string, at: number): LinkEnd {
  const [machine = '', id = ''] = text.split(':');
  const number = machines.findIndex(({ name }) => name === machine);
  const wrong = (what: string): Problem => file.problemAt(['cables', at, 'between'], what);
  if (number < 0) throw wrong(`${text}: there is no machine ${machine}`);
  const { netdevs } = machines[number]!.options;
  const index = netdevs.findIndex((each) => each.id === id);
  if (index < 0) throw wrong(`${text}: ${machine} has no network ${id}: give it netdev "frames,id=${id}"`);
  const { type } = netdevs[index]!;
  if (type !== 'frames')
    throw wrong(`${text}: ${id} of ${machine} is of type ${type}: a cable goes to one of type frames`);
  return { machine: number, dev: backendName(type, index) };
}

function linkOf(
  file: WrittenFile<Written>,
  machines: readonly PlannedMachine[],
  { between: [one, other], latency }: WrittenCable,
  at: number,
): Link {
  const latencyNs = latency === undefined ? USUAL_LATENCY_NS : virtualNs(latency)!;
  if (latencyNs < 1000) throw file.problemAt(['cables', at, 'latency'], 'a frame takes 1us at least');
  return { ends: [endOf(file, machines, one, at), endOf(file, machines, other, at)], latencyNs };
}

/** What befalls frames on a cable is for either end to draw, of those it sends: options of its network. */
function faultsOf(
  cables: readonly WrittenCable[],
  links: readonly Link[],
): (machine: PlannedMachine, number: number) => PlannedMachine {
  return (machine, number) => {
    const said = new Map<string, Readonly<Record<string, string | number>>>();
    for (const [at, { between: _between, latency: _latency, ...faults }] of cables.entries()) {
      const written = Object.entries(faults).map(([key, value]) => [key, CHANCES.has(key) ? `${value}` : value]);
      for (const end of links[at]!.ends) if (end.machine === number) said.set(end.dev, Object.fromEntries(written));
    }
    const netdevs = machine.options.netdevs.map((each, index) => ({
      ...each,
      properties: { ...each.properties, ...said.get(backendName(each.type, index)) },
    }));
    return { ...machine, options: { ...machine.options, netdevs } };
  };
}

/** What is text as an option, and a number in a file. */
const CHANCES: ReadonlySet<string> = new Set(['loss', 'reorder', 'duplicate']);

function refuseSharedEnds(file: WrittenFile<Written>, links: readonly Link[]): void {
  const taken = new Set<string>();
  for (const [at, { ends }] of links.entries()) {
    for (const { machine, dev } of ends) {
      const end = `${machine} ${dev}`;
      if (taken.has(end)) throw file.problemAt(['cables', at, 'between'], 'one of them has a cable already');
      taken.add(end);
    }
  }
}

/** Cards of two machines have addresses of their own. */
function keepMacs(
  file: WrittenFile<Written>,
  {
    machine,
    options,
    macs,
  }: { readonly machine: string; readonly options: RunOptions; readonly macs: Map<string, string> },
): void {
  for (const { properties } of options.devices) {
    const mac = String(properties['mac'] ?? '').toLowerCase();
    if (mac === '') continue;
    const owner = macs.get(mac) ?? machine;
    if (owner !== machine) {
      throw file.problemAt(['machines', machine], `${machine} and ${owner} both have a card with the address ${mac}`);
    }
    macs.set(mac, machine);
  }
}

/** Two machines that print into one file, or are spoken to at one place, would take each other's for their own. */
function keepConsoles(
  file: WrittenFile<Written>,
  {
    machine,
    options: { serial, characters },
    consoles,
  }: { readonly machine: string; readonly options: RunOptions; readonly consoles: Map<string, string> },
): void {
  for (const backend of [...serial, ...characters.map((each) => each.backend)]) {
    const place = consoleOf(backend);
    if (place === undefined) continue;
    const owner = consoles.get(place) ?? machine;
    if (owner !== machine) throw file.problemAt(['machines', machine], `${machine} and ${owner} both have ${place}`);
    consoles.set(place, machine);
  }
}

/** What of the host's a console is; undefined: nothing that another could have. */
function consoleOf(backend: CharacterBackend): string | undefined {
  if (backend.to === 'file') return `the file ${backend.path} as a console`;
  if (backend.to !== 'socket') return undefined;
  const { address } = backend;
  return `a console at ${'path' in address ? address.path : `${address.host}:${address.port}`}`;
}

/** Bridges of the modelled Linux beside those of a real one, which `record.py` has recorded. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hexadecimal, fromHexadecimal } from '../../../src/base/bytes.ts';
import type { BridgeState } from '../../../src/net/bridge/index.ts';
import type { BridgeConfig } from '../../../src/vmm/config.ts';
import { USUAL_BRIDGE } from '../../../src/vmm/pc/bridge-parts.ts';
import { firstOf } from '../../how-long.ts';
import { type Bench, bench } from '../../vmm/bench.ts';

const SCENES = ['hub', 'learning', 'ageing', 'chain', 'spanning', 'triangle', 'groups', 'sizes', 'jumbo'];

const recorded = (scene: string): string[] =>
  readFileSync(new URL(`recorded/${scene}.txt`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('#'));

const SECOND = 1e9;

/** A bridge's options as iproute2 has them. */
function bridgeOf([name = '', ...words]: readonly string[]): BridgeConfig {
  const given = (key: string): number | undefined =>
    words.includes(key) ? Number(words[words.indexOf(key) + 1]) : undefined;
  return {
    ...{ ...USUAL_BRIDGE, name, ports: [] },
    stp: given('stp_state') === 1,
    ageing: (given('ageing_time') ?? 30_000) * 1e7,
    priority: given('priority') ?? USUAL_BRIDGE.priority,
  };
}

/** Digits as a recording has them: of a byte that is repeated at the end how often. */
function shown(bytes: Uint8Array): string {
  const last = bytes.at(-1)!;
  const again = bytes.length - 1 - bytes.findLastIndex((byte) => byte !== last);
  if (again < 16) return hexadecimal(bytes);
  return `${hexadecimal(bytes.subarray(0, bytes.length - again + 1))}*${again}`;
}

function bytesOf(text: string): Uint8Array {
  const [digits = '', again = '1'] = text.split('*');
  const bytes = fromHexadecimal(digits);
  const whole = new Uint8Array(bytes.length + Number(again) - 1).fill(bytes.at(-1)!);
  whole.set(bytes);
  return whole;
}

/** A scene as it goes here, in the same words. */
class Scene {
  readonly #bridges = new Map<string, BridgeConfig>();
  readonly #frames = new Map<number, string>();
  #bench: Bench | undefined;
  #heard = 0;
  #now = 0;

  get #machine(): Bench {
    this.#bench ??= bench({
      netdevs: this.#taps().map((id) => ({ type: 'pcap', id, properties: {} })),
      bridges: [...this.#bridges.values()],
    });
    return this.#bench;
  }

  #taps = (): string[] =>
    [...this.#bridges.values()].flatMap(({ ports }) => ports).filter((port) => !this.#bridges.has(port));

  #attach(bridge: string, ...ports: readonly string[]): void {
    const known = this.#bridges.get(bridge)!;
    this.#bridges.set(bridge, { ...known, ports: [...known.ports, ...ports] });
  }

  /** What a line asks for is done; what came of it. */
  does(line: string): string[] {
    const [verb = '', ...words] = line.split(' ');
    const [first = '', second = ''] = words;
    if (verb === 'bridge') this.#bridges.set(first, bridgeOf(words));
    else if (verb === 'cable') {
      this.#attach(first, second);
      this.#attach(second, first);
    } else if (verb === 'ports') this.#attach(first, ...words.slice(1));
    else if (verb === 'mtu')
      for (const [name, each] of this.#bridges) this.#bridges.set(name, { ...each, mtu: Number(first) });
    else if (verb === '>') {
      this.#machine.frame(`pcap#${this.#taps().indexOf(first)}`, bytesOf(second));
      return this.#passes(0.02);
    } else if (verb === 'wait') return this.#passes(Number(first));
    else if (verb === 'look') return this.#looks(first, second);
    return [];
  }

  #passes(seconds: number): string[] {
    this.#now += seconds * SECOND;
    this.#machine.liveTo(this.#now);
    return this.#reads();
  }

  #reads(): string[] {
    const lines: string[] = [];
    for (; this.#heard < this.#machine.events.length; this.#heard += 1) {
      const event = this.#machine.events[this.#heard]!;
      if (event.kind === 'sim:packet_sent') this.#frames.set(event.packet, shown(event.bytes));
      if (event.kind === 'sim:packet_delivered') lines.push(`< ${event.client} ${this.#frames.get(event.packet)!}`);
    }
    return lines;
  }

  #stateOf(bridge: string): BridgeState {
    const index = [...this.#bridges.keys()].indexOf(bridge);
    return (this.#machine.state.vmm.devices as unknown as Record<string, BridgeState>)[`${bridge}#${index}`]!;
  }

  #looks(what: string, bridge: string): string[] {
    if (what === 'counts') return this.#taps().map((port) => this.#counts(port));
    const { fdb, ports, tree } = this.#stateOf(bridge);
    const cable = (port: string): string => (this.#bridges.has(port) ? `${bridge}-${port}` : port);
    if (what === 'fdb')
      return Object.entries(fdb)
        .map(([mac, { port }]) => `fdb ${bridge} ${mac} ${cable(port)}`)
        .sort();
    if (what === 'states') {
      return Object.entries(ports).map(([port, { state }]) => `state ${bridge} ${cable(port)} ${state}`);
    }
    const { root, cost, port } = tree!;
    return [`stp ${bridge} ${root.slice(0, 4)}.${root.slice(4)} ${cost} ${port === '' ? 'none' : cable(port)}`];
  }

  #counts(port: string): string {
    const owner = [...this.#bridges.values()].find(({ ports }) => ports.includes(port))!;
    const { received: rx, sent: tx } = this.#machine.state.vmm.net!.clients[`${owner.name}/${port}`]!;
    return `count ${port} rx ${rx.packets} ${rx.bytes} 0 tx ${tx.packets} ${tx.bytes} 0`;
  }
}

/** What follows a line and is asked for. */
const isAnswer = (line: string): boolean => /^(<|fdb|state|stp|count) /.test(line);

/** The age in a message of a bridge that is not the root is how long it took. */
const timeless = (line: string): string => line.replace(/^(< \S+ 0180c2000000\w{12}0026424203\w{54})\w{4}/, '$1....');

/** Linux had its bridges up one after the other: what the first says before it hears the others differs. */
const ELECTION = 'wait 5';

/** How many messages of the tree come while one waits depends on milliseconds: which they are does not. */
function withoutTwice(lines: readonly string[], asked: string): string[] {
  if (asked === ELECTION) return [];
  const all = lines.map(timeless).sort();
  return asked.startsWith('wait') ? [...new Set(all)] : all.filter((line) => !MESSAGE.test(line));
}

/** One comes every two seconds, whatever else goes on. */
const MESSAGE = /^< \S+ 0180c2000000fefd/;

describe.each(firstOf(3, SCENES))('%s', (name) => {
  test('goes as on Linux', () => {
    const lines = recorded(name);
    const scene = new Scene();
    for (const [at, line] of lines.entries()) {
      if (isAnswer(line)) continue;
      const next = lines.findIndex((other, place) => place > at && !isAnswer(other));
      const expected = withoutTwice(lines.slice(at + 1, next < 0 ? undefined : next), line);
      expect([line, ...withoutTwice(scene.does(line), line)]).toEqual([line, ...expected]);
    }
  });
});

/** Which queue of a tap a frame goes to, beside Linux: `record_queues.py`. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fromHexadecimal } from '../../../src/base/bytes.ts';
import type { Draft } from '../../../src/base/draft.ts';
import type { Effects, Packet } from '../../../src/devices/device.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { driver, type TapSetup, type TapState } from '../../../src/net/tap/index.ts';

const CLIENTS = ['t', 't:1', 't:2', 't:3'];
const NS_PER_MS = 1_000_000;

/** A tap with four queues, to which the kernel sends. */
class Tap {
  readonly #setup = { clients: CLIENTS, interface: 't', bridge: '', vnet_hdr: true } as unknown as TapSetup;
  readonly #tap = driver.create(this.#setup);
  readonly #state = structuredClone(driver.atReset(this.#setup)) as Draft<TapState>;
  readonly #seed: number;
  #queued = '';
  now = 0;

  constructor(seed: number) {
    this.#seed = seed;
    for (const client of CLIENTS) this.#raise({ kind: 'sim:tap_ioctl', client, cmd: 'TUNSETIFF', arg: 0 });
  }

  #raise(event: MachineEvent): void {
    if (event.kind === 'sim:tap_queued') this.#queued = event.client;
    const reduce = driver.reducer.facts?.[event.kind] as
      | ((state: Draft<TapState>, event: MachineEvent) => void)
      | undefined;
    reduce?.(this.#state, event);
  }

  get #effects(): Effects {
    return {
      now: this.now,
      name: 'tap#0',
      framesWaiting: () => 0,
      commit: () => undefined,
      intoKernel: () => undefined,
      random: (_stream: string, length: number) => Uint8Array.from({ length }, (_, at) => at * this.#seed),
      keep: (offset: number, bytes: Uint8Array) =>
        this.#raise({ kind: 'sim:device_data', dev: 'tap#0', offset, bytes }),
      raise: (event: MachineEvent) => this.#raise(event),
    } as unknown as Effects;
  }

  write(queue: number, frame: Uint8Array): void {
    const packet: Packet = { number: 0, bytes: frame, at: CLIENTS[queue]!, queue };
    this.#tap.receivePacket!(this.#state, packet, this.#effects);
  }

  send(frame: Uint8Array): number {
    this.#tap.transmit!(this.#state, { number: 0, bytes: frame, at: 't' }, this.#effects);
    return CLIENTS.indexOf(this.#queued);
  }

  set(queue: number, on: boolean): void {
    this.#tap.queueSet!(this.#state, queue, on, this.#effects);
  }
}

/** What a line comes to; undefined: nothing is read. */
function done(tap: Tap, [verb, ...words]: readonly string[]): number | undefined {
  const queue = Number(words[0]);
  if (verb === 'write') tap.write(queue, fromHexadecimal(words[1]!));
  else if (verb === 'send') return tap.send(fromHexadecimal(words[0]!));
  else if (verb === 'attach' || verb === 'detach') tap.set(queue, verb === 'attach');
  else if (verb === 'wait') tap.now += queue * NS_PER_MS;
  else if (verb === 'spread') return new Set(words.map((frame) => tap.send(fromHexadecimal(frame)))).size;
  return undefined;
}

test.each([1, 7, 255])('a frame goes where Linux has its conversation, whatever the key of its hash: %i', (seed) => {
  const text = readFileSync(new URL('recorded/queues.txt', import.meta.url), 'utf8');
  const lines = text.trimEnd().split('\n').slice(1);
  const tap = new Tap(seed);
  const wrong: string[] = [];
  let asked = 0;
  for (const [at, line] of lines.entries()) {
    if (line.startsWith('<')) continue;
    const read = done(tap, line.split(' '));
    if (read === undefined) continue;
    asked += 1;
    const answer = lines[at + 1]!;
    if (answer !== '< -' && answer !== `< ${read}`)
      wrong.push(`${at}: ${line.slice(0, 300)}: ${read}, Linux ${answer}`);
  }
  expect(wrong).toEqual([]);
  expect(asked).toBe(65);
});

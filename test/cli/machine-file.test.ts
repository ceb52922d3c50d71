import { describe, expect, test } from 'vitest';
import { machinesAsked } from '../../src/options/machine-file.ts';

const ALL = { seed: '7', trace: 'net.trace', wallClock: '1700000000' };

const asked = (text: string) => machinesAsked('net.json', new TextEncoder().encode(text), ALL);
const refusal = (text: string): string => {
  try {
    asked(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing is wrong';
};

const CARD = '"netdev": "frames,id=n0", "device": ["virtio-net-pci,netdev=n0"]';
const TWO = `{
  "common": { "m": 64, "nodefaults": true, ${CARD} },
  "machines": {
    "alice": { "append": "a" },
    "bob": { "m": "32", "no-reboot": true, "seed": "his own" }
  },
  // one cable
  "cables": [{ "between": ["alice:n0", "bob:n0"], "latency": "1ms" }],
}`;

test('machines have their own options, and those that all have', () => {
  const { machines, links, trace } = asked(TWO);
  expect(machines.map(({ name, options }) => [name, options.ramBytes >> 20, options.seed, options.reboot])).toEqual([
    ['alice', 64, '7/alice', true],
    ['bob', 32, 'his own', false],
  ]);
  expect(machines.map(({ options }) => options.devices.map(({ properties }) => properties['mac']))).toEqual([
    ['52:54:00:12:34:56'],
    ['52:54:00:12:34:57'],
  ]);
  expect(new Set(machines.map(({ options }) => options.wallClock))).toEqual(new Set([1_700_000_000_000_000_000n]));
  expect(trace).toBe('net.trace');
  expect(links).toEqual([
    {
      ends: [
        { machine: 0, dev: 'frames#0' },
        { machine: 1, dev: 'frames#0' },
      ],
      latencyNs: 1_000_000,
    },
  ]);
});

test('what befalls frames on a cable is for both of its ends to draw', () => {
  const { machines, links } = asked(
    TWO.replace('"1ms"', '"1ms", "jitter": "20us", "loss": 0.05, "duplicate": 0, "bandwidth": 1000000, "mtu": 9000'),
  );
  const properties = { jitter: '20us', loss: '0.05', duplicate: '0', bandwidth: 1_000_000, mtu: 9000 };
  for (const { options } of machines) expect(options.netdevs).toMatchObject([{ id: 'n0', properties }]);
  expect(links).toMatchObject([{ latencyNs: 1_000_000 }]);
});

test('who serves is not waited for', () => {
  const { machines } = asked(TWO.replace('"cables"', '"servers": ["bob"], "cables"'));
  expect(machines.map(({ serves }) => serves)).toEqual([false, true]);
});

describe('of a file that cannot be understood the line is named', () => {
  test.each([
    ['{ "machines": {} }', 'line 1: machines: there is no machine'],
    ['{\n "machines": { "a": { "m": 64 }\n', 'line 3: close brace expected'],
    ['{\n "machines": {\n  "a b": {} } }', 'line 3: machines.a b: '],
    ['{\n "machines": {\n  "a": { "m": 64,\n "mm": 3 } } }', 'line 4: a: Unknown option'],
    ['{\n "machines": {\n  "a": {\n "m": "much" } } }', 'line 4: a: -m'],
    ['{\n "machines": { "a": {\n "trace": "x" } } }', 'line 3: a: trace is of the whole run'],
    ['{ "machines": { "a": {} },\n "bridge": 1 }', 'line 2: Unrecognized key'],
    [TWO.replace('bob:n0', 'eve:n0'), 'line 8: eve:n0: there is no machine eve'],
    [TWO.replace('bob:n0', 'bob:n7'), 'line 8: bob:n7: bob has no network n7'],
    [TWO.replace('bob:n0', 'alice:n0'), 'line 8: one of them has a cable already'],
    [TWO.replace('1ms', 'soon'), 'line 8: cables.0.latency: is no time'],
    [TWO.replace('"cables"', '"servers": ["eve"], "cables"'), 'line 8: there is no machine eve'],
    [TWO.replace('"cables"', '"servers": ["bob", "alice"], "cables"'), 'line 8: all machines are'],
    [TWO.replace('"1ms"', '"1ms", "loss": 7'), 'line 8: cables.0.loss: '],
    [TWO.replace('"1ms"', '"1ms", "jitter": "2s"'), 'line 8: cables.0.jitter: is more than 1s'],
    [TWO.replace('1ms', '10ns'), 'line 8: a frame takes 1us at least'],
    [TWO.replace('frames,id=n0', 'user,id=n0'), 'n0 of alice is of type user: a cable goes to one of type frames'],
    [
      TWO.replaceAll('virtio-net-pci,netdev=n0', 'virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01'),
      'line 5: bob and alice both have a card with the address 52:54:00:00:00:01',
    ],
  ])('%s', (text, said) => {
    expect(refusal(text)).toContain('Cannot use net.json as a file of machines: ');
    expect(refusal(text)).toContain(said);
  });
});

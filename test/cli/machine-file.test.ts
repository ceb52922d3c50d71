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

const TAPS = `{
  "common": { "m": 64, "nodefaults": true, "netdev": "tap,id=n0", "device": ["virtio-net-pci,netdev=n0"] },
  "machines": {
    "alice": {},
    "bob": { "netdev": "tap,id=n0,ifname=uplink,br=br0" },
    "carol": { "netdev": "bridge,id=n0,br=br1" },
    "dave": { ${CARD} }
  },
  "bridges": {
    "br0": { "stp": true, "ageing": "60s", "address": "10.9.0.254/24", "netdev": "user,id=net",
             "ports": ["net", { "to": "br1", "latency": "1ms" }, "dave:n0"] },
    "br1": { "latency": "10us" }
  }
}`;

describe('bridges', () => {
  test('are machines without processors, whose ports are taps that name them, and what they name', () => {
    const { machines, links, warnings } = asked(TAPS);
    expect(machines.map(({ name, options }) => [name, options.cpus])).toEqual([
      ...[
        ['alice', 1],
        ['bob', 1],
        ['carol', 1],
        ['dave', 1],
      ],
      ...[
        ['br0', 0],
        ['br1', 0],
      ],
    ]);
    expect(machines[4]!.options.bridges).toEqual([
      {
        ...{ name: 'br0', number: 0, stp: true, ageing: 60e9, mtu: 1500, priority: 32_768, address: '10.9.0.254/24' },
        ports: ['net', 'br1', 'dave.n0', 'tap0', 'uplink'],
      },
    ]);
    expect(machines[5]!.options.bridges[0]).toMatchObject({ number: 1, ports: ['tap1', 'br0'] });
    expect(machines[0]!.options.netdevs[0]!.properties).toMatchObject({ ifname: 'tap0', br: 'br0', carried: true });
    expect(machines[2]!.options.netdevs[0]!.properties).toEqual({ br: 'br1', carried: true });
    const named = ({ machine, dev }: { machine: number; dev: string }): string => `${machines[machine]!.name} ${dev}`;
    expect(
      links.map(({ ends: [one, other], latencyNs, isInside = false }) => [
        ...[named(one), named(other), latencyNs, isInside],
      ]),
    ).toEqual([
      ['br0 interface#1', 'br1 interface#1', 1_000_000, true],
      ['dave frames#0', 'br0 frames#2', 25_000, false],
      ['alice tap#0', 'br0 interface#3', 25_000, true],
      ['bob tap#0', 'br0 interface#4', 25_000, true],
      ['carol bridge#0', 'br1 interface#0', 10_000, true],
    ]);
    expect(warnings).toEqual([]);
  });

  test('which lead round without a spanning tree are warned of', () => {
    const ring = (zero: string, one: string, two: string): string =>
      `{ "machines": { "a": {} }, "bridges": { "br0": { "ports": ["br1", "br2"], "stp": ${zero} },
        "br1": { "ports": ["br2"], "stp": ${one} }, "br2": { "stp": ${two} } } }`;
    const warned = [expect.stringContaining('br0, br1, br2: there is more than one way between these bridges')];
    expect(asked(ring('false', 'false', 'false')).warnings).toEqual(warned);
    expect(asked(ring('true', '"on"', 'false')).warnings).toEqual(warned);
    expect(asked(ring('true', '"on"', 'true')).warnings).toEqual([]);
  });

  test.each([
    [TAPS.replace('"60s"', '"soon"'), 'line 10: br0: --bridge br0'],
    [TAPS.replace('"stp"', '"spt"'), 'line 10: bridges.br0: Unrecognized key: "spt"'],
    [TAPS.replace('"br1", "latency"', '"br0", "latency"'), 'line 11: a bridge is no port of itself'],
    [TAPS.replace('"net", {', '"nets", {'), 'line 11: br0: --bridge br0: there is no backend and no bridge nets'],
    [TAPS.replace('"dave:n0"]', '"dave:n1"]'), 'line 11: there is no network dave:n1 that could be a port'],
    [TAPS.replace('"dave:n0"]', '"carol:n0", "net"]'), 'line 11: br0: --bridge br0: net is a port of it already'],
    [TAPS.replace('user,id=net', 'userr,id=net'), 'line 10: br0: -netdev userr'],
    [TAPS.replace('"10us"', '"1s"'), 'line 12: a frame takes 1us to 10ms at a port'],
    [TAPS.replace('"br1": {', '"alice": {'), 'line 12: there is a machine alice already'],
    [
      TAPS.replace('tap,id=n0"', 'tap,id=n0,ifname=uplink"'),
      'line 5: bob:n0: uplink is the interface of alice:n0 already',
    ],
    [TAPS.replace('"alice": {}', '"alice": { "bridge": "br0" }'), 'line 4: br0 is a bridge of the run'],
    [
      TAPS.replace('"m": 64', '"m": 64, "serial": "file:log"'),
      'line 5: bob and alice both have the file log as a console',
    ],
  ])('of which something is wrong: %#', (text, said) => {
    expect(refusal(text)).toContain(said);
  });
});

const AS_YAML = `common: { m: 64, nodefaults: true, device: ["virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01"] }
machines:
  alice:                      # asks
    netdev: tap,id=n0,br=br0
bridges:
  br0:
    stp: on
    address: 10.9.0.254/24
    ageing: 0
  br1:
`;

describe('a file in YAML', () => {
  const yaml = (text: string) => machinesAsked('net.yaml', new TextEncoder().encode(text), ALL);

  test('says the same', () => {
    const { machines } = yaml(AS_YAML);
    expect(machines.map(({ name }) => name)).toEqual(['alice', 'br0', 'br1']);
    expect(machines[0]!.options.devices[0]!.properties['mac']).toBe('52:54:00:00:00:01');
    expect(machines[1]!.options.bridges[0]).toMatchObject({ stp: true, ageing: 0, ports: ['tap0'] });
  });

  test.each([
    [AS_YAML.replace('stp: on', 'spt: on'), 'line 7: bridges.br0: Unrecognized key: "spt"'],
    [AS_YAML.replace('m: 64', 'm: much'), 'line 1: alice: -m'],
    [AS_YAML.replace('    stp', '\tstp'), 'line 7: Tabs are not allowed as indentation'],
    [AS_YAML.replace('br1:', 'br0:'), 'line 10: Map keys must be unique'],
    [AS_YAML.replace('br1:', 'br1: !x'), 'line 10: Unresolved tag: !x'],
    [AS_YAML.replace('  br1:', '  br1: *a'), 'aliases'],
    [AS_YAML.replace('10.9', '&x 10.9'), undefined],
    [AS_YAML.replace('br1:', `br1: ${'['.repeat(20_000)}`), 'more than 64 levels'],
    [AS_YAML.replace('br1:', `br1:\n    ${'- '.repeat(20_000)}`), 'more than 64 levels'],
    [`${AS_YAML}${'# \n'.repeat(40_000)}`, 'more than 64 KiB of YAML'],
    ['', 'line 1: Invalid input'],
  ])('of which something is wrong: %#', (text, said) => {
    if (said === undefined) expect(() => yaml(text)).not.toThrow();
    else expect(() => yaml(text)).toThrow(said);
  });
});

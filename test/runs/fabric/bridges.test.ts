import { afterEach, describe, expect, test } from 'vitest';
import { NODE } from '../../../src/host/node.ts';
import { machinesAsked } from '../../../src/options/machine-file.ts';
import { Told } from '../../../src/replay/streams/told.ts';
import { Inbox } from '../../../src/runs/fabric/inbox.ts';
import { type Departure, type Lane, type LanePause, LockStep } from '../../../src/runs/fabric/lock-step.ts';
import { SessionLane } from '../../../src/runs/fabric/session-lane.ts';
import { startSession } from '../../../src/runs/underway/open-session.ts';
import { LONG } from '../../how-long.ts';
import { prepared } from '../../../src/runs/underway/prepare.ts';
import type { BridgeState } from '../../../src/net/bridge/index.ts';

const NOTHING = new Uint8Array(0);

/** A machine of a test: it says frames at its tap when they are due, and hears others. */
class Station implements Lane {
  readonly tickNs = 8;
  readonly isBridge = false;
  readonly awaitsAlarm = false;
  readonly heard: { readonly ns: number; readonly said: string }[] = [];
  readonly inbox = new Inbox({ next: undefined, take: () => undefined });
  private readonly says: (readonly [ns: number, frame: Uint8Array])[];
  private time = 0;
  private sent: Departure[] = [];

  constructor(says: readonly (readonly [ns: number, frame: Uint8Array])[]) {
    this.says = [...says];
  }

  now(): number {
    return this.time;
  }

  ticks(): number {
    return this.time;
  }

  takeDepartures(): readonly Departure[] {
    return this.sent.splice(0);
  }

  runTo(ns: number): LanePause {
    while (this.sent.length === 0) {
      const own = this.says[0]?.[0] ?? Infinity;
      const at = Math.min(own, this.inbox.next?.ns ?? Infinity);
      if (at >= ns) return { pause: 'idle', untilNs: own };
      this.time = Math.max(this.time, at);
      if (own === at) this.sent.push({ ns: at, delay: 0, dev: 'tap#0', bytes: this.says.shift()![1], header: NOTHING });
      else this.hear();
    }
    return { pause: 'slice' };
  }

  private hear(): void {
    const { event } = this.inbox.next!;
    this.inbox.take();
    if (event.kind === 'sim:packet_received' && isTest(event.bytes))
      this.heard.push({ ns: this.time, said: textOf(event.bytes) });
  }
}

/** Not a message between bridges. */
const isTest = (frame: Uint8Array): boolean => frame[12] === 0x88 && frame[13] === 0xb5;

const textOf = (frame: Uint8Array): string => new TextDecoder().decode(frame.subarray(14)).replaceAll('\0', '');

const ALL = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const macOf = (station: number): number[] => [0x52, 0x54, 0, 0, 0, station];

function frame(to: readonly number[], from: number, text: string): Uint8Array {
  const bytes = new Uint8Array(60);
  bytes.set([...to, ...macOf(from), 0x88, 0xb5, ...new TextEncoder().encode(text)]);
  return bytes;
}

type Says = Readonly<Record<string, readonly (readonly [ns: number, frame: Uint8Array])[]>>;

const open: SessionLane[] = [];
afterEach(() => {
  for (const { session } of open.splice(0)) session.close();
});

/** Stations `s0`, `s1`... at bridges of the same number, which are joined as it says. */
function network(bridges: Readonly<Record<string, object>>, says: Says) {
  const machines = Object.keys(says).map((name, at) => [
    name,
    { m: 2, nodefaults: true, netdev: `tap,id=n0,br=br${at}`, device: 'virtio-net-pci,netdev=n0' },
  ]);
  const text = JSON.stringify({ machines: Object.fromEntries(machines), bridges });
  const plan = machinesAsked('net.json', new TextEncoder().encode(text), {
    ...{ seed: '1', trace: undefined, wallClock: '1700000000' },
  });
  const stations = Object.values(says).map((each) => new Station(each));
  const counts = new Map<string, number>();
  const made = plan.machines.slice(stations.length).map(({ options }) => {
    const ready = prepared(NODE, { ...options, trace: undefined });
    const told = new Told();
    const inbox = new Inbox(ready.expected);
    const nobody = { serial: () => undefined, character: () => undefined, notice: () => undefined };
    told.events$.subscribe(({ event }) => {
      const key = event.kind === 'sim:packet_dropped' ? event.why : event.kind;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    });
    const lane = new SessionLane(startSession({ ...ready, expected: inbox }, nobody, { told }), told, inbox);
    open.push(lane);
    return lane;
  });
  const all = new LockStep([...stations, ...made], plan.links);
  return { plan, stations, bridges: made, all, counts };
}

function runTo(all: LockStep, ns: number): void {
  while (all.nextMoment() < ns && all.step({ isHeld: false }).pause === 'slice');
}

const MS = 1_000_000;
const MESH = {
  br0: { ports: ['br1', 'br2', 'br3'] },
  br1: { ports: ['br2', 'br3'] },
  br2: { ports: ['br3'] },
  br3: {},
};
const withTree = Object.fromEntries(Object.entries(MESH).map(([name, bridge]) => [name, { ...bridge, stp: true }]));

describe('bridges of a run', () => {
  test('hand on what stations of each say: to all, then where they have learned who is', () => {
    const { stations, all, counts } = network(
      { br0: { ports: [{ to: 'br1', latency: '1ms' }] }, br1: {} },
      { s0: [[8 * MS, frame(ALL, 0, 'who')]], s1: [[16 * MS, frame(macOf(0), 1, 'I')]] },
    );
    runTo(all, 100 * MS);
    const [s0, s1] = stations;
    expect(s1!.heard).toEqual([{ ns: expect.any(Number), said: 'who' }]);
    expect(s0!.heard).toEqual([{ ns: expect.any(Number), said: 'I' }]);
    // Two ports of 25 us, a way of 1 ms, and what each bridge takes.
    const took = s1!.heard[0]!.ns - 8 * MS;
    expect(took).toBeGreaterThan(1.05 * MS);
    expect(took).toBeLessThan(1.1 * MS);
    expect(counts.get('sim:bridge_learned')).toBe(4);
  });

  test(
    'in a mesh without spanning tree say so; a frame for all fills them, and what is too much is lost and counted',
    LONG,
    () => {
      const { plan, all, bridges, counts } = network(MESH, {
        s0: [[8 * MS, frame(ALL, 0, 'who')]],
        s1: [],
        s2: [],
        s3: [],
      });
      expect(plan.warnings).toEqual(expect.arrayContaining([expect.stringContaining('br0, br1, br2, br3: ')]));
      runTo(all, 9 * MS);
      expect(counts.get('backlog full')).toBeGreaterThan(100);
      for (const { session } of bridges) {
        expect(session.view.machine.state.vmm.net!.underway.length).toBeLessThan(5000);
      }
    },
  );

  test('with one, come to a tree: what is said is heard once', () => {
    const { plan, stations, all, bridges, counts } = network(withTree, {
      ...{ s0: [[60_000 * MS, frame(ALL, 0, 'who')]], s1: [[61_000 * MS, frame(ALL, 1, 'me')]], s2: [], s3: [] },
    });
    expect(plan.warnings).toEqual([]);
    runTo(all, 62_000 * MS);
    expect(stations.map(({ heard }) => heard.map(({ said }) => said))).toEqual([
      ...[['me'], ['who'], ['who', 'me'], ['who', 'me']],
    ]);
    const states = bridges.flatMap(({ session }) => {
      const part = Object.entries(session.view.machine.state.vmm.devices).find(([name]) => name.startsWith('br'))![1];
      return Object.values((part as BridgeState).ports).map(({ state }) => state);
    });
    // Of six ways between four bridges three are left: three have an end that is closed.
    expect(states.filter((state) => state === 'blocking').length).toBe(3);
    expect(states.filter((state) => state === 'forwarding').length).toBe(12 + 4 - 3);
    expect(counts.get('backlog full')).toBeUndefined();
  });

  test('where one floods lose what is too much; others go on, and all do once it is over', LONG, () => {
    const flood = Array.from({ length: 20_000 }, (_, at) => [8 * MS + at * 80, frame(ALL, 0, 'flood')] as const);
    const { stations, all, counts } = network(
      { br0: { ports: ['br1'] }, br1: {}, br2: { ports: ['br3'] }, br3: {} },
      {
        ...{ s0: flood, s1: [[20 * MS, frame(macOf(0), 1, 'stop')]] },
        ...{ s2: [[9 * MS, frame(ALL, 2, 'who')]], s3: [[9.5 * MS, frame(macOf(2), 3, 'I')]] },
      },
    );
    runTo(all, 100 * MS);
    const lost = counts.get('backlog full')!;
    expect(lost).toBeGreaterThan(10_000);
    expect(stations[1]!.heard.length).toBe(20_000 - lost);
    expect(stations.map(({ heard }) => heard.at(-1)!.said)).toEqual(['stop', 'flood', 'I', 'who']);
  });

  test('have no buttons: what is said to a machine of a processor is nothing to them', () => {
    const { all, bridges } = network({ br0: {} }, { s0: [[8 * MS, frame(ALL, 0, 'who')]] });
    const { session } = bridges[0]!;
    for (const kind of ['sim:reset_requested', 'sim:wakeup_requested', 'sim:nmi_requested'] as const) {
      session.send({ kind });
    }
    session.send({ kind: 'sim:keyboard_received', bytes: Uint8Array.of(0x1e) });
    session.send({ kind: 'sim:serial_received', line: 0, bytes: Uint8Array.of(0x61) });
    runTo(all, 100 * MS);
    expect(session.view.machine.state.schedule.ended).toBeUndefined();
    expect(session.figures().ticks).toBe(0);
  });
});

import { isDeepStrictEqual } from 'node:util';
import { produce } from 'immer';
import { latin1 } from '../../src/base/bytes.ts';
import type { Draft } from '../../src/base/draft.ts';
import type { Ns } from '../../src/base/units.ts';
import type { Effects } from '../../src/devices/device.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import type { EventOf, MachineEvent } from '../../src/events/vocabulary.ts';
import { receiveLive } from '../../src/net/live/index.ts';
import { expireTcp, powerOnTcp, receiveSegment } from '../../src/net/tcp/index.ts';
import { driver, type UserNetSetup, type UserNetState } from '../../src/net/user/index.ts';
import { networkOf } from '../../src/net/user/network.ts';
import type { Addressed, UserNet } from '../../src/net/user/part.ts';
import { receiveDatagram } from '../../src/net/world/index.ts';
import type { World } from '../../src/net/world/world.ts';
import { ipv4Of, ipv6Of } from '../../src/packets/addresses.ts';
import { ETHERNET_HEADER } from '../../src/packets/ethernet.ts';
import { IP_PROTOCOLS } from '../../src/packets/ipv4.ts';
import { NOTHING } from '../../src/packets/layout.ts';
import { parseTcp } from '../../src/packets/tcp.ts';
import { parseUdp } from '../../src/packets/udp.ts';
import { setupOf } from './wire.ts';

/** A packet of IP that is on its way to the guest. */
interface Sent {
  readonly due: Ns;
  readonly bytes: Uint8Array;
}

/** What surrounds the hosts of a world in a test. */
interface Surroundings extends Partial<UserNetSetup> {
  /** Bytes of files. */
  readonly files?: (file: string, offset: number, length: number) => Uint8Array;
  /** A number of 0 to 1. */
  readonly chance?: () => number;
  /** The guest's address of IPv4. */
  readonly neighbor?: string;
}

const AT = 0x52_54_00_12_34_56;

/**
 * TCP and the hosts of a world, without a machine around them: packets of IP go in and out, and their clock is what a
 * test says. Beside the state the same facts are folded on Immer's drafts.
 */
export class Bench {
  now: Ns = 0;
  readonly sent: Sent[] = [];
  readonly events: MachineEvent[] = [];
  /** Hears of each fact when it has happened. */
  heard: (event: MachineEvent) => void = () => undefined;
  readonly timers = new Map<string, Ns>();
  readonly net: UserNet;
  private folded: UserNetState;
  private readonly folds: boolean;

  constructor(
    world: World,
    { files, chance = () => 0.5, neighbor = '10.0.2.15', ...given }: Surroundings = {},
    folds = true,
  ) {
    const setup = setupOf({ ...given, world });
    const neighbors = {
      arp: { known: [{ address: ipv4Of(neighbor)!, ethernet: AT }], next: 1 },
      ndp: { known: [{ address: ipv6Of('fec0::15')!, ethernet: AT }], next: 1 },
    };
    const state: UserNetState = { ...driver.atReset(setup), ...neighbors };
    this.folds = folds;
    this.folded = structuredClone(state);
    const effects = {
      name: 'n0',
      peer: { name: 'virtio-net-pci.0', type: 'virtio-net-pci', takesHeaders: true },
      raise: (event: MachineEvent) => this.raise(event),
      arm: (timer: string, due: Ns) => void this.timers.set(timer, due),
      cancel: (timer: string) => void this.timers.delete(timer),
      deadline: (timer: string) => this.timers.get(timer),
      random: (_: string, length: number) => Uint8Array.from({ length }, () => Math.floor(chance() * 256)),
      travel: () => 0,
      fileBytes: files ?? (() => new Uint8Array(0)),
      sendPacket: (frame: Uint8Array, due: Ns = this.now) => {
        this.raise({ kind: 'sim:packet_sent', client: 'n0', packet: 0, bytes: frame, due, header: new Uint8Array(0) });
        this.sent.push({ bytes: frame.subarray(ETHERNET_HEADER), due });
        return true;
      },
    };
    Object.defineProperty(effects, 'now', { get: () => this.now });
    this.net = { setup, network: networkOf(setup), state, effects: effects as unknown as Effects, packet: NOTHING };
    powerOnTcp(this.net);
  }

  private raise(event: MachineEvent): void {
    this.events.push(event);
    const facts = driver.reducer.facts ?? {};
    const reduce = facts[event.kind] as
      | ((state: Draft<UserNetState>, event: MachineEvent, at: Stamped) => void)
      | undefined;
    const stamped = { seq: 0, tick: 0, source: 0, cause: undefined, within: undefined, event };
    this.change((state) => reduce?.(state, event, stamped));
    this.heard(event);
  }

  private change(how: (state: Draft<UserNetState>) => void): void {
    how(this.net.state as Draft<UserNetState>);
    if (this.folds) this.folded = produce(this.folded, (draft) => void how(draft as Draft<UserNetState>));
  }

  /** Whether the state follows from the facts alone. */
  get isFolded(): boolean {
    return isDeepStrictEqual(this.net.state, this.folded);
  }

  /** Facts of a kind, in their order. */
  ofKind<K extends MachineEvent['kind']>(kind: K): readonly EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.kind === kind);
  }

  /** A packet of the guest's. */
  receive(ip: Addressed): void {
    const segment = ip.protocol === IP_PROTOCOLS.TCP ? parseTcp(ip.payload) : undefined;
    const datagram = ip.protocol === IP_PROTOCOLS.UDP ? parseUdp(ip.payload) : undefined;
    const net = { ...this.net, packet: ip.payload };
    this.change((state) => driver.reducer.packetTaken?.(state, latin1(ip.payload)));
    if (segment !== undefined) receiveSegment(net, ip, segment);
    if (datagram !== undefined) receiveDatagram(net, ip, datagram);
  }

  /** An input from outside: first it is in the state. */
  hear(input: MachineEvent): void {
    this.raise(input);
    receiveLive(this.net, input);
  }

  /** When a timer fires next. */
  get deadline(): Ns | undefined {
    return this.timers.size === 0 ? undefined : Math.min(...this.timers.values());
  }

  /** Time passes up to a moment: timers that are due by then fire. */
  passTo(time: Ns): void {
    for (let due = this.deadline; due !== undefined && due <= time; due = this.deadline) {
      const timer = [...this.timers].find(([, each]) => each === due)![0];
      this.timers.delete(timer);
      this.now = Math.max(this.now, due);
      expireTcp(this.net, timer, due);
    }
    this.now = Math.max(this.now, time);
  }
}

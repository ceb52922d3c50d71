import type { Draft } from '../../src/base/draft.ts';
import type { Ns } from '../../src/base/units.ts';
import type { DeviceFact, Effects } from '../../src/devices/device.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { expireTcp, powerOnTcp, receiveSegment, TCP_FACTS, tcpAtReset } from '../../src/net/tcp/index.ts';
import { networkOf } from '../../src/net/user/network.ts';
import type { Addressed, UserNet } from '../../src/net/user/part.ts';
import type { UserNetState } from '../../src/net/user/state.ts';
import { WORLD_FACTS } from '../../src/net/world/evolve.ts';
import { receiveDatagram } from '../../src/net/world/index.ts';
import { worldAtReset } from '../../src/net/world/state.ts';
import type { World } from '../../src/net/world/world.ts';
import { IP_PROTOCOLS } from '../../src/packets/ipv4.ts';
import { parseTcp } from '../../src/packets/tcp.ts';
import { parseUdp } from '../../src/packets/udp.ts';

/** A packet of IP that is on its way to the guest. */
export interface Sent {
  readonly due: Ns;
  readonly bytes: Uint8Array;
}

/** What surrounds the hosts of a world in a test. */
export interface Surroundings {
  /** Bytes of files. */
  readonly files?: (file: string, offset: number, length: number) => Uint8Array;
  /** A number of 0 to 1. */
  readonly chance?: () => number;
  readonly linkHop?: Ns;
  readonly linkKib?: Ns;
}

/** TCP and the hosts of a world, without a machine around them: their clock is what a test says. */
export class Bench {
  now: Ns = 0;
  readonly sent: Sent[] = [];
  readonly events: MachineEvent[] = [];
  readonly timers = new Map<string, Ns>();
  readonly net: UserNet;

  constructor(world: World, { files = () => new Uint8Array(0), chance = () => 0.5, ...link }: Surroundings = {}) {
    const state = { ipId: 0, tcp: tcpAtReset(), world: worldAtReset(world) } as unknown as UserNetState;
    const effects = {
      name: 'n0',
      raise: (event: DeviceFact) => this.raise(event),
      arm: (timer: string, due: Ns) => void this.timers.set(timer, due),
      cancel: (timer: string) => void this.timers.delete(timer),
      deadline: (timer: string) => this.timers.get(timer),
      random: (_: string, length: number) => Uint8Array.from({ length }, () => Math.floor(chance() * 256)),
      fileBytes: files,
      sendPacket: (bytes: Uint8Array, due: Ns = this.now) => {
        this.sent.push({ bytes, due });
        return true;
      },
    } as Partial<Effects> as Effects;
    Object.defineProperty(effects, 'now', { get: () => this.now });
    const setup = { linkHop: 0, linkKib: 0, ...link, world };
    this.net = { setup, network: networkOf(setup), state, effects };
    powerOnTcp(this.net);
  }

  private raise(event: DeviceFact): void {
    this.events.push(event);
    for (const facts of [TCP_FACTS, WORLD_FACTS]) {
      const reduce = facts[event.kind] as ((state: Draft<UserNetState>, event: DeviceFact) => void) | undefined;
      reduce?.(this.net.state as Draft<UserNetState>, event);
    }
  }

  /** A packet of the guest's. */
  receive(ip: Addressed): void {
    const { protocol } = ip;
    const segment = protocol === IP_PROTOCOLS.TCP ? parseTcp(ip.payload) : undefined;
    const datagram = protocol === IP_PROTOCOLS.UDP ? parseUdp(ip.payload) : undefined;
    if (segment !== undefined) receiveSegment(this.net, ip, segment);
    if (datagram !== undefined) receiveDatagram(this.net, ip, datagram);
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

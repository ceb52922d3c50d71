import { isDeepStrictEqual } from 'node:util';
import { produce } from 'immer';
import { latin1 } from '../../src/base/bytes.ts';
import type { Draft } from '../../src/base/draft.ts';
import type { Device, DeviceReducer, Effects, NetPeer } from '../../src/devices/device.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import type { EventOf, MachineEvent } from '../../src/events/vocabulary.ts';
import { driver, type UserNetSetup, type UserNetState } from '../../src/net/user/index.ts';
import { NOTHING } from '../../src/packets/layout.ts';

/** What user networking is made with where nothing else is said. */
export const setupOf = (given: Partial<UserNetSetup> = {}): UserNetSetup => {
  const properties = Object.entries(driver.properties ?? {}).filter(([name]) => name !== 'world');
  const usual = properties.map(([name, property]) => [name, property.default]);
  return { ...(Object.fromEntries(usual) as UserNetSetup), ...given };
};

export const E1000: NetPeer = { name: 'e1000.0', type: 'nic', takesHeaders: false };
export const VIRTIO: NetPeer = { name: 'virtio-net-pci.0', type: 'nic', takesHeaders: false, takesShort: true };

/** Nanoseconds to the guest, besides one for each byte. */
const HOP = 10_000;

type Timers = Map<string, number>;

/** A packet that user networking sent. */
export interface Sent {
  readonly bytes: Uint8Array;
  /** Undefined: at once. */
  readonly due: number | undefined;
}

/**
 * User networking at the end of a wire: a test is at the other. Beside its state the same facts are folded without it,
 * on an Immer draft: its reducer alone must come to the same.
 */
export class Wire {
  readonly state: UserNetState;
  readonly raised: MachineEvent[] = [];
  readonly timers: Timers = new Map();
  readonly files = new Map<string, Uint8Array>();
  now = 0;
  private readonly device: Device<UserNetState>;
  private readonly reducer: DeviceReducer<UserNetState>;
  private readonly peer: NetPeer;
  private folded: UserNetState;
  private packets = 0;
  private sent: Sent[] = [];
  private isCommitted = true;
  private arriving: Uint8Array = NOTHING;

  constructor(given: Partial<UserNetSetup> = {}, peer = E1000) {
    const setup = setupOf(given);
    const settled = driver.settle?.(setup, {}) ?? setup;
    this.device = driver.create(settled);
    this.reducer = driver.reducer;
    this.state = driver.atReset(settled);
    this.folded = structuredClone(this.state);
    this.peer = peer;
  }

  /** What is answered to a frame, at once or later, in the order in which it is sent. */
  answers(frame: Uint8Array): readonly Sent[] {
    this.sent = [];
    this.isCommitted = false;
    this.arriving = frame;
    const packet = { number: this.packets++, bytes: frame, at: 'n0' };
    if (this.device.receivePacket?.(this.state, packet, this.effects) !== true) throw new Error('it is not taken');
    if (!this.isCommitted) throw new Error('it is taken without a commit');
    this.checkFold();
    return this.sent;
  }

  /** What is sent when an input comes from outside. */
  hears(input: MachineEvent): readonly Sent[] {
    this.sent = [];
    this.raise(input);
    this.device.receive?.(this.state, this.effects, input);
    this.checkFold();
    return this.sent;
  }

  /** The same, as bytes alone. */
  frames(frame: Uint8Array): readonly Uint8Array[] {
    return this.answers(frame).map(({ bytes }) => bytes);
  }

  /** Let time pass, with what timers do on the way. */
  pass(nanoseconds: number): readonly Sent[] {
    this.sent = [];
    const end = this.now + nanoseconds;
    for (;;) {
      const [due] = [...this.timers].sort((a, b) => a[1] - b[1]);
      if (due === undefined || due[1] > end) break;
      const [timer, deadline] = due;
      this.now = Math.max(this.now, deadline);
      this.timers.delete(timer);
      this.device.expire?.(this.state, timer, this.effects, deadline);
      this.checkFold();
    }
    this.now = end;
    return this.sent;
  }

  /** Facts of a kind, in their order. */
  ofKind<K extends MachineEvent['kind']>(kind: K): readonly EventOf<K>[] {
    return this.raised.filter((event): event is EventOf<K> => event.kind === kind);
  }

  private raise(event: MachineEvent): void {
    this.raised.push(event);
    const reduce = this.reducer.facts?.[event.kind] as
      | ((s: Draft<UserNetState>, e: MachineEvent, at: Stamped) => void)
      | undefined;
    if (reduce === undefined) return;
    const stamped = { seq: 0, tick: 0, source: 0, cause: undefined, within: undefined, event };
    this.change((state) => reduce(state, event, stamped));
  }

  private change(how: (state: Draft<UserNetState>) => void): void {
    how(this.state as Draft<UserNetState>);
    this.folded = produce(this.folded, (draft) => how(draft as Draft<UserNetState>));
  }

  private checkFold(): void {
    if (!isDeepStrictEqual(this.state, this.folded)) throw new Error('the state changed other than by a fact');
  }

  private get effects(): Effects {
    const can = {
      now: this.now,
      name: 'n0',
      peer: this.peer,
      commit: () => {
        this.isCommitted = true;
        this.change((state) => this.reducer.packetTaken?.(state, latin1(this.arriving)));
      },
      raise: (event: MachineEvent) => this.raise(event),
      arm: (timer: string, deadline: number) => void this.timers.set(timer, deadline),
      cancel: (timer: string) => void this.timers.delete(timer),
      deadline: (timer: string) => this.timers.get(timer),
      travel: (length: number) => HOP + length,
      random: (_stream: string, length: number) => Uint8Array.from({ length }, (_, at) => at * 7),
      sendPacket: (bytes: Uint8Array, due?: number) => {
        const packet = this.packets++;
        this.raise({ kind: 'sim:packet_sent', client: 'n0', packet, bytes, due: due ?? 0, header: new Uint8Array(0) });
        this.sent.push({ bytes, due });
        return true;
      },
      fileBytes: (file: string, offset: number, length: number) =>
        this.files.get(file)?.subarray(offset, offset + length) ?? new Uint8Array(length),
    };
    // What else a device may do is not for user networking.
    return can as unknown as Effects;
  }
}

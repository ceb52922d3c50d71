import { isDeepStrictEqual } from 'node:util';
import { produce } from 'immer';
import type { Draft } from '../../src/base/draft.ts';
import type {
  Device,
  DeviceReducer,
  DiskRequest,
  DriveInfo,
  Effects,
  NetPeer,
  Packet,
} from '../../src/devices/device.ts';
import { configWritten, movesRegions, type PciFunction, type PciFunctionState } from '../../src/devices/pci/index.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { NO_PAYLOADS, type PayloadSource } from '../../src/memory/payloads.ts';

/** An event as a run has it. */
const stampedAs = (event: MachineEvent, seq = 0): Stamped => ({
  ...{ seq, tick: 0, source: 0, cause: undefined, within: undefined, event },
});

/** Whose place nobody looks at. */
const WRITTEN = { kind: 'sim:packets_offered', client: '' } as const;

/**
 * A device on a bench: its state as its reducer makes it, its pins, what it raised, and a clock turned by hand. Beside
 * it the same facts are folded without it: its reducer alone must come to the same state, on an Immer draft too.
 */
export class Bench<S> {
  readonly device: Device<S>;
  readonly reducer: DeviceReducer<S>;
  readonly state: S;
  readonly raised: MachineEvent[] = [];
  readonly pins = new Map<string, boolean>();
  /** Every drive of a pin, in order. */
  readonly drives: (readonly [pin: string, high: boolean])[] = [];
  /** What made a drive that waited: the place of a fact in `raised`, counted from 1. undefined: it did not wait. */
  readonly sinces: (number | undefined)[] = [];
  /** Vectors of message-signalled interrupts, in order. */
  readonly messages: number[] = [];
  /** Whether a guest has turned them on. */
  hasMessages = false;
  readonly timers = new Map<string, number>();
  readonly memory: Uint8Array;
  payloads: PayloadSource = NO_PAYLOADS;
  /** Drives with what they hold, by `id`. */
  readonly disks = new Map<string, { readonly info: DriveInfo; readonly bytes: Uint8Array }>();
  /** Requests in flight, which complete when the test says so. */
  readonly requests: DiskRequest[] = [];
  /** What a net client sent, and when it arrives; what its `sendPacket` answers, and who it sends to. */
  readonly sent: { readonly bytes: Uint8Array; readonly due: number | undefined; readonly header?: Uint8Array }[] = [];
  /** What a tap's client wrote. */
  readonly written: Packet[] = [];
  /** What a card told its peer that may be left to it: flags, and the length of its header. */
  readonly offloads: [number, number][] = [];
  takesPackets = true;
  peer: NetPeer | undefined;
  /** How often it asked for packets. */
  offers = 0;
  readonly dropped: [number, string][] = [];
  readonly files = new Map<string, Uint8Array>();
  now = 0;
  private waiting = 0;
  private pending: ((state: Draft<S>) => void) | undefined;
  private folded: S;

  constructor(device: Device<S>, reducer: DeviceReducer<S>, state: S, memory = 4096) {
    this.memory = new Uint8Array(memory);
    this.device = device;
    this.reducer = reducer;
    this.state = state;
    this.folded = structuredClone(state);
  }

  /** A fact changes the state. */
  evolve(change: (state: Draft<S>) => void): void {
    change(this.state as Draft<S>);
    this.folded = produce(this.folded, (draft) => change(draft as Draft<S>));
  }

  private checkFold(): void {
    if (!isDeepStrictEqual(this.state, this.folded)) throw new Error('the state changed other than by a fact');
  }

  get effects(): Effects {
    return {
      now: this.now,
      name: this.device.model,
      commit: () => this.commit(),
      raise: (event) => this.raise(event),
      pin: (name, high, since) => {
        if (!this.device.pins.includes(name)) throw new Error(`no pin ${name}`);
        this.pins.set(name, high);
        this.drives.push([name, high]);
        this.sinces.push(since);
      },
      arm: (timer, deadline) => void this.timers.set(this.known(timer), deadline),
      cancel: (timer) => void this.timers.delete(this.known(timer)),
      deadline: (timer) => this.timers.get(this.known(timer)),
      msi: (vector) => {
        this.messages.push(vector);
        return this.hasMessages;
      },
      random: (_stream, length) => Uint8Array.from({ length }, (_, at) => at * 7),
      keep: (offset, bytes) => this.raise({ kind: 'sim:device_data', dev: this.device.model, offset, bytes }),
      ask: ({ bytes }) => this.raise({ kind: 'sim:chardev_sent', dev: this.device.model, bytes }),
      requestSuspend: () => this.raise({ kind: 'sim:suspend_asked' }),
      requestWakeup: (by) => this.raise({ kind: 'sim:wakeup_asked', by }),
      requestReset: () => this.raise({ kind: 'sim:reset_asked', by: this.device.model }),
      dmaReach: (gpa, length) => Math.max(0, Math.min(length, this.memory.length - gpa)),
      payload: (gpa, length) => this.memory.slice(gpa, gpa + length),
      transaction: (reads) => reads(),
      payloadOf: (sha256) => this.payloads.payload(sha256),
      dmaRead: (gpa, length) => this.memory.slice(gpa, gpa + length),
      ramReach: (gpa, length) => Math.max(0, Math.min(length, this.memory.length - gpa)),
      dmaWrite: (gpa, bytes) => this.store(gpa, bytes),
      dmaTold: (gpa, bytes) => this.store(gpa, bytes),
      drive: (id) => this.disks.get(id)?.info,
      submit: (request) => void this.requests.push(request),
      failed: () => 'report',
      drain: (drive) => this.requests.filter((each) => each.drive === drive).forEach((each) => this.complete(each)),
      diskRead: (drive, offset, length) => this.disk(drive).slice(offset, offset + length),
      diskWrite: (drive, offset, bytes) => this.disk(drive).set(bytes, offset),
      peer: this.peer,
      packetPayload: (gpa, length) => this.memory.slice(gpa, gpa + length),
      sendPacket: (bytes, due, header) => {
        this.sent.push({ bytes: new Uint8Array(bytes), due, ...(header === undefined ? {} : { header }) });
        if (!this.takesPackets) this.waiting += 1;
        return this.takesPackets;
      },
      sendAt: (_client, bytes, due) => void this.sent.push({ bytes: new Uint8Array(bytes), due }),
      passPacket: ({ bytes }) => {
        this.sent.push({ bytes: new Uint8Array(bytes), due: undefined });
        return this.takesPackets;
      },
      newPacket: (packet) => ({ ...packet, number: this.sent.length, at: this.device.model }),
      intoKernel: (packet) => void this.written.push(packet),
      nextFrame: () => undefined,
      framesWaiting: () => 0,
      attachQueues: () => undefined,
      setOffloads: (flags, headerBytes) => void this.offloads.push([flags, headerBytes]),
      openVhost: () => undefined,
      startVhost: () => false,
      stopVhost: () => [],
      kickVhost: () => undefined,
      takePackets: () => void (this.offers += 1),
      settlePackets: () => {
        for (let left = this.waiting; left > 0; left--) this.packetSent();
      },
      dropPacket: ({ number }, why) => void this.dropped.push([number, why]),
      fileBytes: (file, offset, length) => (this.files.get(file) ?? new Uint8Array(0)).slice(offset, offset + length),
      travel: (length) => 10_000 + Math.ceil((length * 820) / 1024),
      diskClear: (drive, offset, length) => void this.disk(drive).fill(0, offset, offset + length),
    };
  }

  /** Beyond its memory there is nobody. */
  private store(gpa: number, bytes: Uint8Array): void {
    if (gpa < this.memory.length) this.memory.set(bytes.subarray(0, this.memory.length - gpa), gpa);
  }

  private disk(drive: string): Uint8Array {
    return this.disks.get(drive)!.bytes;
  }

  /** A request in flight is done: the first, unless another is said. */
  complete(request = this.requests[0]!, result = 0): void {
    this.requests.splice(this.requests.indexOf(request), 1);
    this.device.completed?.(this.state, request, result, this.effects);
    this.checkFold();
  }

  private known(timer: string): string {
    if (this.device.timers?.includes(timer) !== true) throw new Error(`no timer ${timer}`);
    return timer;
  }

  private commit(): void {
    if (this.pending === undefined) throw new Error('commit without a call to commit, or twice');
    const { pending } = this;
    this.pending = undefined;
    this.evolve(pending);
  }

  /** A fact reaches the device's state, as the machine's table has it. */
  raise(event: MachineEvent): void {
    this.raised.push(event);
    const reduce = this.reducer.facts?.[event.kind] as
      | ((s: Draft<S>, e: MachineEvent, at: Stamped) => void)
      | undefined;
    this.evolve((state) => reduce?.(state, event, stampedAs(event, this.raised.length)));
  }

  pin(name = 'irq'): boolean {
    return this.pins.get(name) ?? false;
  }

  read(offset: number, size = 1, region = 0): number {
    this.pending = (state) => this.reducer.taken?.(state, { region, offset, size });
    const value = this.device.read(this.state, region, offset, size, this.effects);
    this.pending = undefined;
    this.checkFold();
    return value;
  }

  write(offset: number, value: number, size = 1, region = 0): void {
    this.pending = (state) => this.reducer.written?.(state, { region, offset, size, value }, stampedAs(WRITTEN));
    if (this.device.write === undefined) this.commit();
    else this.device.write(this.state, region, offset, size, value, this.effects);
    this.checkCommitted();
  }

  reset(): void {
    this.pending = (state) => this.reducer.reset?.(state);
    if (this.device.reset === undefined) this.commit();
    else this.device.reset(this.state, this.effects);
    this.checkCommitted();
  }

  private checkCommitted(): void {
    if (this.pending !== undefined) throw new Error('a write or reset that the device did not commit');
    this.checkFold();
  }

  /** The machine is powered on, at a time of the world in nanoseconds since 1970. */
  powerOn(wallClock: bigint): void {
    this.raise({ kind: 'sim:powered_on', seed: '', wall_clock: wallClock });
    this.device.powerOn?.(this.state, this.effects);
  }

  /** A packet comes. False: it waits. */
  packet(given: Omit<Packet, 'at'>): boolean {
    const packet = { ...given, at: this.device.model };
    const { receivePacket } = this.device;
    if (receivePacket === undefined) throw new Error('no net client');
    this.pending = () => undefined;
    const isTaken = receivePacket(this.state, packet, this.effects);
    if (isTaken !== (this.pending === undefined))
      throw new Error('a packet is committed where it is taken, and only there');
    this.pending = undefined;
    this.checkFold();
    return isTaken;
  }

  /** A packet that had to wait has been taken, or is gone. */
  packetSent(): void {
    this.waiting = Math.max(0, this.waiting - 1);
    this.device.packetSent?.(this.state, this.effects, 0);
    this.checkFold();
  }

  cable(up: boolean): void {
    this.device.linkSet?.(this.state, up, this.effects);
    this.checkFold();
  }

  /** Another device drives an input. */
  drive(input: string, high: boolean): void {
    this.evolve((state) => this.reducer.driven?.(state, input, high));
    this.device.input?.(this.state, input, high, this.effects);
    this.checkFold();
  }

  /** An input from outside, then the device's answer to it. */
  receive(event: MachineEvent): void {
    this.raise(event);
    this.device.receive?.(this.state, this.effects, event);
    this.checkFold();
  }

  /** Let time pass, serving every timer on the way. */
  pass(nanoseconds: number): void {
    const end = this.now + nanoseconds;
    for (;;) {
      const due = this.next();
      if (due === undefined || due[1] > end) break;
      const [timer, deadline] = due;
      this.now = Math.max(this.now, deadline);
      this.timers.delete(timer);
      this.evolve((state) => this.reducer.fired?.(state, timer));
      this.device.expire?.(this.state, timer, this.effects, deadline);
      this.checkFold();
    }
    this.now = end;
  }

  private next(): [timer: string, deadline: number] | undefined {
    const order = (this.device.timers ?? []).filter((timer) => this.timers.has(timer));
    const armed = order.map((timer): [string, number] => [timer, this.timers.get(timer)!]);
    return armed.sort((a, b) => a[1] - b[1])[0];
  }
}

/** A guest's write to a function's configuration space. True when regions may have moved. */
export function writeConfig<S extends PciFunctionState>(
  bench: Bench<S>,
  offset: number,
  size: number,
  value: number,
): boolean {
  const pci = bench.device as PciFunction<S>;
  const moves = movesRegions(pci, bench.state, offset, size, value);
  bench.evolve((state) => configWritten(pci, state as Draft<PciFunctionState>, offset, size, value));
  pci.configWritten?.(bench.state, offset, size, bench.effects);
  return moves;
}

import type { Draft } from '../../src/base/draft.ts';
import type { Device, DeviceReducer, Effects } from '../../src/devices/device.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';

/** A device on a bench: its state as its reducer makes it, its pins, what it raised, and a clock turned by hand. */
export class Bench<S> {
  readonly device: Device<S>;
  readonly reducer: DeviceReducer<S>;
  readonly state: S;
  readonly raised: MachineEvent[] = [];
  readonly pins = new Map<string, boolean>();
  readonly timers = new Map<string, number>();
  readonly memory = new Uint8Array(4096);
  now = 0;
  private pending: (() => void) | undefined;

  constructor(device: Device<S>, reducer: DeviceReducer<S>, state: S) {
    this.device = device;
    this.reducer = reducer;
    this.state = state;
  }

  private get draft(): Draft<S> {
    return this.state as Draft<S>;
  }

  get effects(): Effects {
    return {
      now: this.now,
      commit: () => this.commit(),
      raise: (event) => this.raise(event),
      pin: (name, high) => {
        if (!this.device.pins.includes(name)) throw new Error(`no pin ${name}`);
        this.pins.set(name, high);
      },
      arm: (timer, deadline) => void this.timers.set(this.known(timer), deadline),
      cancel: (timer) => void this.timers.delete(this.known(timer)),
      deadline: (timer) => this.timers.get(this.known(timer)),
      requestReset: () => this.raise({ kind: 'sim:reset_asked', by: this.device.model }),
      dmaRead: (gpa, length) => this.memory.slice(gpa, gpa + length),
      dmaWrite: (gpa, bytes) => this.memory.set(bytes, gpa),
    };
  }

  private known(timer: string): string {
    if (this.device.timers?.includes(timer) !== true) throw new Error(`no timer ${timer}`);
    return timer;
  }

  private commit(): void {
    if (this.pending === undefined) throw new Error('commit without a call to commit, or twice');
    const { pending } = this;
    this.pending = undefined;
    pending();
  }

  /** A fact reaches the device's state, as the machine's table has it. */
  raise(event: MachineEvent): void {
    this.raised.push(event);
    const reduce = this.reducer.facts?.[event.kind] as ((s: Draft<S>, e: MachineEvent, at: Stamped) => void) | undefined;
    reduce?.(this.draft, event, { seq: 0, tick: 0, source: 0, cause: undefined, within: undefined, event });
  }

  pin(name = 'irq'): boolean {
    return this.pins.get(name) ?? false;
  }

  read(offset: number, size = 1, region = 0): number {
    this.pending = () => this.reducer.taken?.(this.draft, { region, offset, size });
    const value = this.device.read(this.state, region, offset, size, this.effects);
    this.pending = undefined;
    return value;
  }

  write(offset: number, value: number, size = 1, region = 0): void {
    this.pending = () => this.reducer.written?.(this.draft, { region, offset, size, value });
    this.act(() => this.device.write?.(this.state, region, offset, size, value, this.effects));
  }

  reset(): void {
    this.pending = () => this.reducer.reset?.(this.draft);
    this.act(() => this.device.reset?.(this.state, this.effects));
  }

  /** What a device does not commit itself the machine does. */
  private act(call: () => void): void {
    call();
    if (this.pending !== undefined) this.commit();
  }

  /** Another device drives an input. */
  drive(input: string, high: boolean): void {
    this.reducer.driven?.(this.draft, input, high);
    this.device.input?.(this.state, input, high, this.effects);
  }

  /** An input from outside, then the device's answer to it. */
  receive(event: MachineEvent): void {
    this.raise(event);
    this.device.receive?.(this.state, this.effects);
  }

  /** Let time pass, serving every timer on the way. */
  pass(nanoseconds: number): void {
    const end = this.now + nanoseconds;
    for (;;) {
      const due = this.next();
      if (due === undefined || due[1] > end) break;
      this.now = Math.max(this.now, due[1]);
      this.timers.delete(due[0]);
      this.reducer.fired?.(this.draft, due[0]);
      this.device.expire?.(this.state, due[0], this.effects);
    }
    this.now = end;
  }

  private next(): [timer: string, deadline: number] | undefined {
    const order = (this.device.timers ?? []).filter((timer) => this.timers.has(timer));
    const armed = order.map((timer): [string, number] => [timer, this.timers.get(timer)!]);
    return armed.sort((a, b) => a[1] - b[1])[0];
  }
}

import type { Device, Effects, HostRequest } from '../../src/devices/device.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';

/** A device on a bench: its pins, what it raised and asked, and a clock turned by hand. */
export class Bench<S> {
  readonly device: Device<S>;
  readonly state: S;
  readonly raised: MachineEvent[] = [];
  readonly asked: HostRequest[] = [];
  readonly pins = new Map<string, boolean>();
  readonly memory = new Uint8Array(4096);
  now = 0;

  constructor(device: Device<S>, state: S) {
    this.device = device;
    this.state = state;
  }

  get effects(): Effects {
    return {
      now: this.now,
      raise: (event) => void this.raised.push(event),
      pin: (name, high) => {
        if (!this.device.pins.includes(name)) throw new Error(`no pin ${name}`);
        this.pins.set(name, high);
      },
      ask: (request) => void this.asked.push(request),
      dmaRead: (gpa, length) => this.memory.slice(gpa, gpa + length),
      dmaWrite: (gpa, bytes) => this.memory.set(bytes, gpa),
    };
  }

  pin(name = 'irq'): boolean {
    return this.pins.get(name) ?? false;
  }

  read(offset: number, size = 1, region = 0): number {
    return this.device.read(this.state, region, offset, size, this.effects);
  }

  write(offset: number, value: number, size = 1, region = 0): void {
    this.device.write(this.state, region, offset, size, value, this.effects);
  }

  receive(...bytes: number[]): void {
    this.device.receive?.(this.state, Uint8Array.from(bytes), this.effects);
  }

  /** Let time pass, serving every deadline on the way. */
  pass(nanoseconds: number): void {
    const end = this.now + nanoseconds;
    for (;;) {
      const due = this.device.deadline?.(this.state);
      if (due === undefined || due > end) break;
      this.now = Math.max(this.now, due);
      this.device.expire?.(this.state, this.effects);
    }
    this.now = end;
  }
}

import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/**
 * A client of the GDB Remote Serial Protocol over a pair of FIFOs, synchronous on purpose: lockstep makes
 * millions of round trips, and a promise each would cost more than the step itself.
 */
export class GdbRemote {
  readonly #toStub: number;
  readonly #fromStub: number;
  readonly #buffer = Buffer.alloc(1 << 16);
  #text = '';

  constructor(path: string) {
    this.#toStub = openSync(`${path}.in`, 'w');
    this.#fromStub = openSync(`${path}.out`, 'r');
    this.#send('QStartNoAckMode');
    writeSync(this.#toStub, '+');
    this.#receive();
    // Before it was asked for its description, QEMU's stub writes no single register.
    this.ask('qXfer:features:read:target.xml:0,400');
  }

  /** Send a packet and return the reply's payload. */
  ask(payload: string): string {
    this.#send(payload);
    return this.#receive();
  }

  /** One instruction. Returns the stop reply. */
  step(): string {
    return this.ask('s');
  }

  readMemory(address: bigint | number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const size = Math.min(1024, length - done);
      const reply = this.ask(`m${(BigInt(address) + BigInt(done)).toString(16)},${size.toString(16)}`);
      if (reply.startsWith('E')) throw new Error(`the stub cannot read ${size} bytes at ${address}: ${reply}`);
      bytes.set(Buffer.from(reply, 'hex'), done);
      done += size;
    }
    return bytes;
  }

  /** A command of QEMU's monitor; returns what it printed. */
  monitor(command: string): string {
    this.#send('qRcmd,' + Buffer.from(command).toString('hex'));
    let printed = '';
    for (;;) {
      const reply = this.#receive();
      if (reply === 'OK' || reply === '' || reply.startsWith('E')) return printed;
      printed += Buffer.from(reply.slice(1), 'hex').toString('latin1');
    }
  }

  close(): void {
    closeSync(this.#toStub);
    closeSync(this.#fromStub);
  }

  #send(payload: string): void {
    let sum = 0;
    for (let i = 0; i < payload.length; i++) sum = (sum + payload.charCodeAt(i)) & 255;
    writeSync(this.#toStub, `$${payload}#${sum.toString(16).padStart(2, '0')}`);
  }

  #receive(): string {
    for (;;) {
      const start = this.#text.indexOf('$');
      const end = start < 0 ? -1 : this.#text.indexOf('#', start);
      if (end >= 0 && this.#text.length >= end + 3) {
        const payload = this.#text.slice(start + 1, end);
        this.#text = this.#text.slice(end + 3);
        return payload;
      }
      const got = readSync(this.#fromStub, this.#buffer);
      if (got === 0) throw new Error('QEMU closed its gdb stub');
      this.#text += this.#buffer.toString('latin1', 0, got);
    }
  }
}

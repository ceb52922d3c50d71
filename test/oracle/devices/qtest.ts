import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const LETTER = { 1: 'b', 2: 'w', 4: 'l', 8: 'q' } as const;

export type Width = keyof typeof LETTER;

/** The qtest port of a real QEMU 7.2: accesses by commands, a line each. */
export class QtestPort {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  readonly #said: string[] = [];

  constructor(options: readonly string[]) {
    const port = ['-display', 'none', '-qtest', 'stdio', '-qtest-log', '/dev/null'];
    this.#process = spawn('qemu-system-x86_64', [...options, ...port], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    createInterface({ input: this.#process.stderr }).on('line', (line) => {
      this.#said.push(line.replace('qemu-system-x86_64: ', ''));
    });
  }

  /** What QEMU complained of since this was asked last. */
  said(): readonly string[] {
    return this.#said.splice(0);
  }

  async in(port: number, size: 1 | 2 | 4): Promise<number> {
    return this.#number(`in${LETTER[size]} ${port}`);
  }

  async out(port: number, size: 1 | 2 | 4, value: number): Promise<void> {
    await this.ask(`out${LETTER[size]} ${port} ${value}`);
  }

  async read(address: number, size: Width): Promise<number> {
    return this.#number(`read${LETTER[size]} ${address}`);
  }

  async write(address: number, size: Width, value: number): Promise<void> {
    await this.ask(`write${LETTER[size]} ${address} ${value}`);
  }

  async ask(command: string): Promise<string> {
    this.#process.stdin.write(`${command}\n`);
    for (;;) {
      const line = await this.#lines.next();
      if (line.done) throw new Error(`QEMU ended at ${command}: ${this.#said.join('; ')}`);
      if (line.value.startsWith('OK')) return line.value;
      if (!line.value.startsWith('IRQ')) throw new Error(`QEMU answers ${command} with ${line.value}`);
    }
  }

  end(): void {
    this.#process.kill();
  }

  async #number(command: string): Promise<number> {
    return Number((await this.ask(command)).split(' ')[1]);
  }
}

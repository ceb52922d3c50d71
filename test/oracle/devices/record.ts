/**
 * Records random accesses to the devices of a real QEMU 7.2 through its qtest port, for replay.test.ts:
 * `npx tsx test/oracle/devices/record.ts` writes test/oracle/devices/recorded/*.txt. Needs qemu-system-x86_64.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { type Access, type Bus, Chance, lookAround, placePm, WORKLOADS } from './workloads.ts';

const STEPS = 600;
const SEED = 20240229;
const OPTIONS = [
  ...['-M', 'pc,accel=tcg', '-S', '-nodefaults', '-display', 'none', '-m', '64', '-serial', 'null', '-net', 'none'],
  ...[
    '-device',
    'pc-testdev',
    '-rtc',
    'base=2024-02-29T23:59:50,clock=vm',
    '-qtest',
    'stdio',
    '-qtest-log',
    '/dev/null',
  ],
];
const LETTER = { 1: 'b', 2: 'w', 4: 'l' } as const;

class Qtest implements Bus {
  readonly accesses: Access[] = [];
  readonly #process = spawn('qemu-system-x86_64', OPTIONS, { stdio: ['pipe', 'pipe', 'inherit'] });
  readonly #lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();

  async in(port: number, size: 1 | 2 | 4 = 1): Promise<void> {
    const value = Number((await this.#ask(`in${LETTER[size]} ${port}`)).split(' ')[1]);
    this.accesses.push({ op: 'in', address: port, size, value });
  }

  async out(port: number, value: number, size: 1 | 2 | 4 = 1): Promise<void> {
    await this.#ask(`out${LETTER[size]} ${port} ${value}`);
    this.accesses.push({ op: 'out', address: port, size, value });
  }

  async read(address: number): Promise<void> {
    const value = Number((await this.#ask(`readl ${address}`)).split(' ')[1]);
    this.accesses.push({ op: 'read', address, size: 4, value });
  }

  async write(address: number, value: number): Promise<void> {
    await this.#ask(`writel ${address} ${value}`);
    this.accesses.push({ op: 'write', address, size: 4, value });
  }

  async reset(): Promise<void> {
    await this.#ask('outb 0xcf9 6');
    await setTimeout(500);
    this.accesses.push({ op: 'reset', address: 0, size: 1, value: 0 });
  }

  end(): void {
    this.#process.kill();
  }

  async #ask(command: string): Promise<string> {
    this.#process.stdin.write(`${command}\n`);
    for (;;) {
      const line = await this.#lines.next();
      if (line.done) throw new Error(`QEMU ended at ${command}`);
      if (!line.value.startsWith('IRQ')) return line.value;
    }
  }
}

async function record(name: string, work: (qemu: Qtest, chance: Chance) => Promise<void>): Promise<void> {
  const qemu = new Qtest();
  if (name === 'piix4Pm' || name === 'reset') await placePm(qemu);
  await work(qemu, new Chance(SEED));
  qemu.end();
  const text = qemu.accesses.map((a) => `${a.op} ${a.address.toString(16)} ${a.size} ${a.value.toString(16)}\n`);
  writeFileSync(new URL(`recorded/${name}.txt`, import.meta.url), text.join(''));
}

for (const [name, step] of Object.entries(WORKLOADS)) {
  await record(name, async (qemu, chance) => {
    for (let count = 0; count < STEPS; count++) await step(qemu, chance);
  });
}
await record('reset', async (qemu, chance) => {
  const steps = Object.values(WORKLOADS);
  for (let count = 0; count < STEPS; count++) await chance.of(steps)(qemu, chance);
  await qemu.reset();
  await lookAround(qemu);
});

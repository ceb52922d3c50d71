/**
 * Records random accesses to the devices of a real QEMU 7.2 through its qtest port, for replay.test.ts:
 * `npx tsx test/oracle/devices/record.ts` writes test/oracle/devices/recorded/*.txt. Needs qemu-system-x86_64.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { config, edu, type MessageBus, msix, placeEdu, TABLE } from './message-workloads.ts';
import { QtestPort } from './qtest.ts';
import { type Access, Chance, lookAround, placePm, unassigned, WORKLOADS } from './workloads.ts';

const STEPS = 600;
const SEED = 20240229;
const OPTIONS = [
  ...['-M', 'pc,accel=tcg', '-S', '-nodefaults', '-m', '64', '-serial', 'null', '-net', 'none'],
  ...['-device', 'pc-testdev', '-rtc', 'base=2024-02-29T23:59:50,clock=vm'],
];
/** Where virtio-rng-pci has its MSI-X, and where its common configuration is put. */
const MSIX = 0x98;
const COMMON = 0xe300_0000;

class Qtest implements MessageBus {
  readonly accesses: Access[] = [];
  readonly #port: QtestPort;

  constructor(...devices: readonly string[]) {
    this.#port = new QtestPort([...OPTIONS, ...devices.flatMap((device) => ['-device', device])]);
  }

  async in(port: number, size: 1 | 2 | 4 = 1): Promise<void> {
    const value = await this.#port.in(port, size);
    this.accesses.push({ op: 'in', address: port, size, value });
  }

  async out(port: number, value: number, size: 1 | 2 | 4 = 1): Promise<void> {
    await this.#port.out(port, size, value);
    this.accesses.push({ op: 'out', address: port, size, value });
  }

  async read(address: number, size: 1 | 2 | 4 = 4): Promise<void> {
    const value = await this.#port.read(address, size);
    this.accesses.push({ op: 'read', address, size, value });
  }

  async write(address: number, value: number): Promise<void> {
    await this.#port.write(address, 4, value);
    this.accesses.push({ op: 'write', address, size: 4, value });
  }

  async reset(): Promise<void> {
    await this.#port.out(0xcf9, 1, 6);
    await setTimeout(500);
    this.accesses.push({ op: 'reset', address: 0, size: 1, value: 0 });
  }

  async control(value: number): Promise<void> {
    await this.#unrecorded(() => config(this, MSIX + 2, 2, value));
    this.accesses.push({ op: 'control', address: 0, size: 2, value });
  }

  /** virtio-rng's configuration vector, as an error of the driver's raises it: virtio 1.1, 4.1.4.3. */
  async raise(vector: number): Promise<void> {
    const steps = [
      ...['b 20 0', 'b 20 3', 'l 8 1', 'l 12 1', 'b 20 11', `w 16 ${vector}`, 'b 20 15', 'w 28 0'],
    ] as const;
    for (const step of steps) {
      const [letter, offset, value] = step.split(' ');
      await this.#port.ask(`write${letter} ${COMMON + Number(offset)} ${value}`);
    }
    this.accesses.push({ op: 'raise', address: 0, size: 4, value: vector });
  }

  /** BARs 1 and 4 of virtio-rng: MSI-X, and its own registers. */
  async placeVirtio(): Promise<void> {
    await this.#unrecorded(async () => {
      await config(this, 0x14, 4, TABLE);
      await config(this, 0x20, 4, COMMON);
      await config(this, 4, 2, 6);
    });
  }

  async #unrecorded(act: () => Promise<void>): Promise<void> {
    const { length } = this.accesses;
    await act();
    this.accesses.length = length;
  }

  end(): void {
    this.#port.end();
  }
}

async function record(
  name: string,
  work: (qemu: Qtest, chance: Chance) => Promise<void>,
  ...devices: readonly string[]
): Promise<void> {
  const qemu = new Qtest(...devices);
  if (name === 'piix4Pm' || name === 'reset') await placePm(qemu);
  await work(qemu, new Chance(SEED));
  qemu.end();
  const text = qemu.accesses.map((a) => `${a.op} ${a.address.toString(16)} ${a.size} ${a.value.toString(16)}\n`);
  writeFileSync(new URL(`recorded/${name}.txt`, import.meta.url), text.join(''));
}

/** These alone, when named; all of them otherwise. */
const [, , ...only] = process.argv;
const isWanted = (name: string): boolean => only.length === 0 || only.includes(name);

for (const [name, step] of Object.entries(WORKLOADS)) {
  if (!isWanted(name)) continue;
  await record(name, async (qemu, chance) => {
    for (let count = 0; count < STEPS; count++) await step(qemu, chance);
  });
}
if (isWanted('reset')) {
  await record('reset', async (qemu, chance) => {
    const steps = Object.values(WORKLOADS);
    for (let count = 0; count < STEPS; count++) await chance.of(steps)(qemu, chance);
    await qemu.reset();
    await lookAround(qemu);
  });
}
if (isWanted('unassigned')) {
  await record('unassigned', async (qemu, chance) => {
    for (let count = 0; count < STEPS / 3; count++) await unassigned(qemu, chance);
  });
}
if (isWanted('edu')) {
  const work = async (qemu: Qtest, chance: Chance): Promise<void> => {
    await placeEdu(qemu);
    for (let count = 0; count < 2 * STEPS; count++) await edu(qemu, chance);
  };
  await record('edu', work, 'edu');
}
if (isWanted('msix')) {
  const work = async (qemu: Qtest, chance: Chance): Promise<void> => {
    await qemu.placeVirtio();
    for (let count = 0; count < STEPS / 5; count++) await msix(qemu, chance);
  };
  await record('msix', work, 'virtio-rng-pci');
}

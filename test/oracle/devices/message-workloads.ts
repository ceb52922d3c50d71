/** Accesses to PCI functions with messages: both sides place them first, and point messages at RAM to see them. */
import type { Bus, Chance } from './workloads.ts';

/** A bus whose function at 00:02.0 can be made to raise a vector of its MSI-X. */
export interface MessageBus extends Bus {
  /** Message control of MSI-X, wherever its capability lies. */
  control(value: number): Promise<void>;
  raise(vector: number): Promise<void>;
}

const SLOT = 0x8000_1000;
const RAM = 0x1_0000;
export const BAR0 = 0xe100_0000;
export const TABLE = 0xe200_0000;
const PBA = TABLE + 0x800;

export async function config(bus: Bus, register: number, size: 1 | 2 | 4, value?: number): Promise<void> {
  await bus.out(0xcf8, SLOT + (register & 0xfc), 4);
  if (value === undefined) await bus.in(0xcfc + (register & 3), size);
  else await bus.out(0xcfc + (register & 3), value, size);
}

/** The edu device's registers. */
export async function placeEdu(bus: Bus): Promise<void> {
  await config(bus, 0x10, 4, BAR0);
  await config(bus, 4, 2, 6);
}

const READ = [0x00, 0x04, 0x08, 0x0c, 0x20, 0x24, 0x60, 0x64, 0x80, 0x84, 0x88, 0x90, 0x98, 0x9c, 0xa0];
const WRITTEN = [0x00, 0x04, 0x0c, 0x20, 0x24, 0x60, 0x60, 0x60, 0x64, 0x64, 0x80, 0x84, 0x88, 0x90];
const MESSAGE_REGISTERS = [0x40, 0x44, 0x48, 0x4c];

/** A message on its way to RAM, if control, command and mask let it go. */
async function sentTo(bus: Bus, chance: Chance, address: number): Promise<void> {
  await config(bus, 0x44, 4, address);
  await config(bus, 0x48, 4, 0);
  await config(bus, 0x42, 2, chance.of([0, 1, 1, 0x71]));
  await config(bus, 4, 2, chance.of([6, 6, 2]));
  await bus.write(BAR0 + 0x60, chance.of([1, 0x100]));
  await bus.read(address);
  await config(bus, 0x42, 2);
}

/** Factorials and transfers take time, which stands still here: all else. */
export async function edu(bus: Bus, chance: Chance): Promise<void> {
  const word = (): number => chance.of([0, 1, 0xff, 0x101, 0xffff_ffff, chance.below(2 ** 32)]);
  const size = chance.of([1, 2, 4] as const);
  const register = chance.below(256 / size) * size;
  const isMoved = register < 0x14 && register + size > 0x10;
  const steps: (() => Promise<void>)[] = [
    () => config(bus, register, size),
    () => (isMoved || register < 6 ? config(bus, 4, 4) : config(bus, register, size, chance.below(2 ** (8 * size)))),
    () => config(bus, 4, 2, chance.of([2, 6, 6, 6, 0x406, 0x402, 0xffff])),
    () => config(bus, chance.of(MESSAGE_REGISTERS), 4, word()),
    () => config(bus, 0x44, 4, RAM + 4 * chance.below(4)),
    () => config(bus, 0x48, 4, 0),
    () => config(bus, 0x42, 2, chance.of([0, 1, 1, 1, 0x71, 0x70])),
    () => config(bus, 0x42, 2),
    () => sentTo(bus, chance, RAM + 4 * chance.below(4)),
    () => bus.read(BAR0 + chance.of(READ)),
    () => bus.write(BAR0 + chance.of(WRITTEN), word()),
    () => bus.read(RAM + 4 * chance.below(4)),
    () => bus.write(RAM + 4 * chance.below(4), 0),
  ];
  await chance.of(steps)();
}

const ON = 0x8000;
const MASKED = 0x4000;

/** A vector is raised under masks of all kinds, which are taken away again. */
export async function msix(bus: MessageBus, chance: Chance): Promise<void> {
  const control = (): Promise<void> => bus.control(chance.of([ON, ON, ON | MASKED, 0, MASKED]));
  const entry = (): number => TABLE + 4 * chance.below(8);
  const words = [0, 1, 0xffff_fffe, RAM, RAM + 4, chance.below(2 ** 32)];
  await bus.control(chance.of([ON, ON | MASKED, 0]));
  for (let count = chance.below(6); count > 0; count--) await bus.write(entry(), chance.of(words));
  const vector = chance.below(2);
  await bus.write(TABLE + 16 * vector, RAM + 4 * chance.below(4));
  await bus.write(TABLE + 16 * vector + 4, 0);
  await bus.raise(vector);
  for (let count = chance.below(8); count > 0; count--) {
    const steps: (() => Promise<void>)[] = [
      control,
      () => bus.read(entry()),
      () => bus.read(PBA + 4 * chance.below(2)),
      () => bus.write(PBA, 0xff),
      () => bus.write(TABLE + 16 * vector + 12, chance.of([0, 1, 0xffff_fffe, 3])),
    ];
    await chance.of(steps)();
  }
  await bus.write(TABLE + 12, 0);
  await bus.write(TABLE + 28, 0);
  await bus.control(ON);
  for (let at = 0; at < 4; at++) {
    await bus.read(RAM + 4 * at);
    await bus.write(RAM + 4 * at, 0);
  }
  await bus.read(PBA);
}

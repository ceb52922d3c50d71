/** One access to a machine's I/O ports or memory, as the recordings write it. */
export interface Access {
  readonly op: 'in' | 'out' | 'read' | 'write' | 'reset' | 'control' | 'raise';
  readonly address: number;
  readonly size: 1 | 2 | 4;
  readonly value: number;
}

/** Where random accesses of a workload go. `read` answers so that workloads need not know who listens. */
export interface Bus {
  in(port: number, size?: 1 | 2 | 4): Promise<void>;
  out(port: number, value: number, size?: 1 | 2 | 4): Promise<void>;
  read(address: number, size?: 1 | 2 | 4): Promise<void>;
  write(address: number, value: number): Promise<void>;
}

/** A number below `limit`, or one of a list. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  get coin(): boolean {
    return this.below(2) === 1;
  }
}

type Step = (bus: Bus, chance: Chance) => Promise<void>;

const range = (first: number, count: number, stride = 1): number[] =>
  Array.from({ length: count }, (_, n) => first + n * stride);

async function uart(bus: Bus, chance: Chance): Promise<void> {
  const port = 0x3f8 + chance.below(8);
  const values = [chance.below(256), 0, 1, 2, 4, 7, 0x0f, 0x80, 0x83, 3, 0x10, 0x1b, 0xc1, 0x81];
  await (chance.coin ? bus.in(port) : bus.out(port, chance.of(values)));
}

const KBC_COMMANDS = [
  0x20, 0x60, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae, 0xc0, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd4, 0xd4, 0xdd, 0xdf,
  0xff, 0x61,
];
const PS2_BYTES = [
  0xed, 0xee, 0xf0, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xff, 0, 1, 2, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 200, 100, 80,
  5, 0xf7, 0xfb, 0xe1, 0xfd,
];

async function i8042(bus: Bus, chance: Chance): Promise<void> {
  const choice = chance.below(10);
  if (choice < 6) return bus.in(choice < 3 ? 0x64 : 0x60);
  if (choice >= 8) return bus.out(0x60, chance.of(PS2_BYTES));
  const command = chance.of(KBC_COMMANDS);
  await bus.out(0x64, command);
  // Output port bit 0 low would reset the machine.
  if (command === 0xd1) await bus.out(0x60, chance.of([0xdd, 0xdf, 0xff, 0x03, 0x01]));
  if (command === 0x60) await bus.out(0x60, chance.of([0x61, 0x65, 0x47, 0x30, 0x74, 0x03, 0x45]));
}

const DMA_PORTS = [...range(0, 16), ...range(0xc0, 32), 0x81, 0x82, 0x83, 0x87, 0x89, 0x8a, 0x8b, 0x8f];

async function i8237(bus: Bus, chance: Chance): Promise<void> {
  const port = chance.of(DMA_PORTS);
  await (chance.coin ? bus.in(port) : bus.out(port, chance.below(256)));
}

async function piix4Pm(bus: Bus, chance: Chance): Promise<void> {
  const event = 0x600 + 2 * chance.below(2);
  const gpe = 0xafe0 + chance.below(4);
  const apm = 0xb2 + chance.below(2);
  const word = chance.of([1, 0x100, 0x400, 0x21, 0xffff, 0, chance.below(0x10000)]);
  const steps: (() => Promise<void>)[] = [
    () => bus.in(event, 2),
    () => bus.out(event, word, 2),
    () => bus.in(0x604, 2),
    () => bus.out(0x604, word & ~0x2000, 2),
    () => bus.in(gpe),
    () => bus.out(gpe, chance.below(256)),
    () => bus.in(apm),
    () => bus.out(apm, chance.of([0xf0, 0xf1, chance.below(256)])),
    () => bus.in(0x600 + chance.below(6)),
  ];
  await chance.of(steps)();
}

const HPET = 0xfed00000;
const HPET_REGISTERS = [0, 4, 0x10, 0x14, 0x20, 0x24, 0xf0, 0xf4].concat(
  [0x100, 0x120, 0x140].flatMap((timer) => range(timer, 6, 4)),
);

async function hpet(bus: Bus, chance: Chance): Promise<void> {
  const register = chance.of(HPET_REGISTERS);
  if (chance.coin) return bus.read(HPET + register);
  // QEMU counts in nanoseconds inside, which bounds the counter.
  const wide = register === 0xf4 ? 5 : chance.below(2 ** 32);
  await bus.write(HPET + register, chance.of([wide, chance.below(65536), 0, 1, 2, 3, 4, 0x0c, 0x14c, 0x4c, 0x104]));
}

/** Time and date bytes are left out: QEMU's clock is its own. */
const CMOS_INDEXES = range(0, 128).filter((index) => ![0, 2, 4, 6, 7, 8, 9, 0x32, 0x37].includes(index));

async function cmos(bus: Bus, chance: Chance): Promise<void> {
  await bus.out(0x70, chance.of([chance.below(6) + 10, chance.of(CMOS_INDEXES)]));
  await (chance.coin ? bus.in(0x71) : bus.out(0x71, chance.below(256)));
}

async function pci(bus: Bus, chance: Chance): Promise<void> {
  const devfn = chance.of([0, 8, 9, 11]);
  const size = chance.of([1, 2, 4] as const);
  const register = chance.below(256 / size) * size;
  // Moving PM's ports or SMRAM under the test would only test the test.
  if (devfn === 11 && register < 0xd4 && register + size > 0x40) return;
  await bus.out(0xcf8, 0x80000000 + devfn * 256 + (register & 0xfc), 4);
  const isSmram = devfn === 0 && register <= 0x72 && register + size > 0x72;
  if (chance.coin || isSmram) await bus.in(0xcfc + (register & 3), size);
  else await bus.out(0xcfc + (register & 3), chance.below(2 ** (8 * size)), size);
}

async function testdev(bus: Bus, chance: Chance): Promise<void> {
  const size = chance.of([1, 2, 4] as const);
  const port = chance.of([0xe0, 0xe8]) + chance.below(4 / size) * size;
  await (chance.coin ? bus.in(port, size) : bus.out(port, chance.below(2 ** (8 * size)), size));
}

/** Where nobody answers on a board with 64 MiB: first address, and how far. */
const HOLES = [
  [0x400_0000, 0xfac0_0000],
  [0xfec0_1000, 0xff000],
  [0xfed0_0400, 0xffc00],
  [2 ** 32, 2 ** 32],
  [2 ** 39, 2 ** 20],
] as const;
const UNASSIGNED_PORTS = [0x100, 0x2e8, 0x300, 0x378, 0x5000, 0xaf40, 0xfff0] as const;

/** Memory and ports of no device. */
export async function unassigned(bus: Bus, chance: Chance): Promise<void> {
  const size = chance.of([1, 2, 4] as const);
  if (chance.coin) return bus.in(chance.of(UNASSIGNED_PORTS) + chance.below(4), size);
  const [first, reach] = chance.of(HOLES);
  const address = first + chance.below(reach / 8) * 8 + chance.below(4);
  if (chance.coin) await bus.write(address - (address % 4), chance.below(2 ** 32));
  await bus.read(address, size);
}

/** Every register that a system reset could have changed, looked at once. */
export async function lookAround(bus: Bus): Promise<void> {
  for (const register of [0, 8, 9, 11].flatMap((devfn) => range(0x80000000 + devfn * 256, 64, 4))) {
    await bus.out(0xcf8, register, 4);
    await bus.in(0xcfc, 4);
  }
  for (const port of [...range(0x3f8, 8), 0x64, 0x60, 0xcf9, ...DMA_PORTS, 0xb2, 0xb3, ...range(0xafe0, 4)]) {
    await bus.in(port);
  }
  for (const index of CMOS_INDEXES) {
    await bus.out(0x70, index);
    await bus.in(0x71);
  }
  for (const register of HPET_REGISTERS) await bus.read(HPET + register);
  await placePm(bus);
  for (const port of [0x600, 0x602, 0x604]) await bus.in(port, 2);
  for (const command of [0xd0, 0x20, 0xd4]) {
    await bus.out(0x64, command);
    await bus.in(0x60);
  }
  await bus.out(0x60, 0xe9);
  for (let reply = 0; reply < 5; reply++) await bus.in(0x60);
}

/** What SeaBIOS does first of all with the PIIX4: PM registers at 0x600. */
export async function placePm(bus: Bus): Promise<void> {
  await bus.out(0xcf8, 0x80000b40, 4);
  await bus.out(0xcfc, 0x601, 4);
  await bus.out(0xcf8, 0x80000b80, 4);
  await bus.out(0xcfc, 1);
}

/** Steps of every workload; each is one or a few accesses. */
export const WORKLOADS: Readonly<Record<string, Step>> = { uart, i8042, i8237, piix4Pm, hpet, cmos, pci, testdev };

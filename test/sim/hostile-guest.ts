import seedrandom from 'seedrandom';

/** Where a hostile guest lies: a multiboot image of its own addresses. */
const AT = { image: 0x100000, gdt: 0x100040, idt: 0x100100, code: 0x101000, cells: 0x1ff000, stack: 0x1fe000 };
const SIZE = 0x18000;
/** Where started processors begin, in real mode. */
const REAL_CODE = 0x8000;
const REAL_BYTES = 0x2000;
const SLOT = 64;
const SLOTS = 1024;
const SLOTS_AT = 0x104000;

type Code = (number | readonly number[])[];
type Chance = () => number;

const le = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, at) => Math.floor(value / 2 ** (8 * at)) % 256);
const le32 = (value: number): number[] => le(value >>> 0, 4);
const below = (chance: Chance, limit: number): number => Math.floor(chance() * limit);
const pick = <T>(chance: Chance, from: readonly T[]): T => from[below(chance, from.length)] as T;

/** Any 32 bits, small ones and single bits more often. */
function word(chance: Chance): number {
  const kinds = [
    () => below(chance, 256),
    () => 2 ** below(chance, 32),
    () => below(chance, 2 ** 32),
    () => pick(chance, [0, 0xffffffff, 0x80000000, 0x7fffffff, 0xfee00000, 0x1ff000]),
  ];
  return pick(chance, kinds)();
}

const PORTS: readonly (readonly [first: number, count: number])[] = [
  [0x00, 0x10],
  [0x20, 2],
  [0xa0, 2],
  [0x40, 4],
  [0x60, 5],
  [0x70, 2],
  [0x80, 0x10],
  [0x92, 1],
  [0xc0, 0x20],
  [0x2f8, 8],
  [0x3f8, 8],
  [0x402, 1],
  [0x4d0, 2],
  [0x510, 8],
  [0x600, 0x10],
  [0xb2, 2],
  [0xcf8, 8],
  [0, 0x10000],
];
const WINDOWS: readonly (readonly [first: number, bytes: number])[] = [
  [0xfee00000, 0x400],
  [0xfec00000, 0x20],
  [0xfed00000, 0x200],
  [0xfffe0000, 0x20000],
  [0xa0000, 0x20000],
  [0xc0000, 0x40000],
  [0xe0000000, 0x1000],
  [0x100000, 0x10000],
  [0x8000, 0x1000],
];
const MSRS = [
  ...[0x10, 0x1b, 0x3a, 0x3b, 0x6e0, 0xfe, 0x17a, 0x17b, 0x1a0, 0x200, 0x201, 0x20f, 0x250, 0x277, 0x2ff, 0x400, 0x401],
  ...[0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04, 0x4b564d05, 0x40000000, 0x40000001, 0x40000020],
  ...[0xc0000080, 0xc0000081, 0xc0000082, 0xc0000100, 0xc0000102, 0xc0000103, 0x174, 0x175, 0x176, 0x48, 0x122, 0xce],
  ...[0x802, 0x808, 0x80b, 0x80f, 0x830, 0x832, 0x838, 0x83e, 0x83f],
];

const port = (chance: Chance): number => {
  const [first, count] = pick(chance, PORTS);
  return first + below(chance, count);
};
const address = (chance: Chance): number => {
  const [first, bytes] = pick(chance, WINDOWS);
  return first + below(chance, bytes) - (chance() < 0.7 ? (first + below(chance, bytes)) % 4 : 0);
};
const setEax = (chance: Chance): number[] => [0xb8, ...le32(word(chance))];

/** A few instructions each that leave the guest, or change what the next ones mean. */
const GADGETS: readonly ((chance: Chance) => Code)[] = [
  (chance) => [setEax(chance), 0x66, 0xba, le(port(chance), 2), pick(chance, [[0xee], [0xef], [0x66, 0xef]])],
  (chance) => [setEax(chance), 0x66, 0xba, le(port(chance), 2), pick(chance, [[0xee], [0xef], [0x66, 0xef]])],
  (chance) => [0x66, 0xba, le(port(chance), 2), pick(chance, [[0xec], [0xed], [0x66, 0xed]])],
  // REP INS and OUTS.
  (chance) => [
    [0xb9, ...le32(below(chance, 12)), 0xbf, ...le32(address(chance)), 0xbe, ...le32(address(chance))],
    [0x66, 0xba, ...le(port(chance), 2), 0xf3, pick(chance, [0x6c, 0x6d, 0x6e, 0x6f])],
  ],
  // MOV, OR, XCHG, CMPXCHG, PUSH and MOVS at an address.
  (chance) => [
    [...setEax(chance), 0xbf, ...le32(address(chance)), 0xbe, ...le32(address(chance)), 0xb9, 2, 0, 0, 0],
    pick(chance, [
      [0x89, 0x07],
      [0x8b, 0x07],
      [0x89, 0x07],
      [0x88, 0x07],
      [0x66, 0x89, 0x07],
      [0x09, 0x07],
      [0x87, 0x07],
    ]),
    pick(chance, [
      [0x90],
      [0x0f, 0xb1, 0x0f],
      [0xff, 0x37],
      [0xa5],
      [0xf3, 0xa5],
      [0xf3, 0xab],
      [0xf0, 0x0f, 0xc1, 0x07],
    ]),
  ],
  // The local APIC by its registers: ICR, timer, EOI.
  (chance) => [
    [0xb8, ...le32(pick(chance, [0xc4500, 0xc4608, 0x4500, 0xc0030, 0x800f0, 0x40020, word(chance)]))],
    [0xa3, ...le32(0xfee00000 + pick(chance, [0x300, 0x310, 0xb0, 0x320, 0x380, 0x3e0, 0xf0, 0x80, 0x350]))],
  ],
  (chance) => [
    setEax(chance),
    0xb9,
    le32(pick(chance, MSRS)),
    0xba,
    le32(chance() < 0.7 ? 0 : word(chance)),
    0x0f,
    0x30,
  ],
  (chance) => [0xb9, le32(chance() < 0.9 ? pick(chance, MSRS) : word(chance)), 0x0f, 0x32],
  (chance) => [0xb8, le32(pick(chance, [0, 1, 7, 0xd, 0x40000000, 0x80000008, word(chance)])), 0x31, 0xc9, 0x0f, 0xa2],
  () => [0xfb, 0xf4],
  () => [0xfb, 0x90, 0x90, 0xfa],
  (chance) => [setEax(chance), 0x0f, pick(chance, [0x20, 0x22]), 0xc0 | below(chance, 64)],
  (chance) => [0xcd, below(chance, 256)],
  (chance) => [
    setEax(chance),
    0xb9,
    0,
    0,
    0,
    0,
    0x31,
    0xd2,
    pick(chance, [
      [0x0f, 0x01, 0xd1],
      [0x0f, 0x01, 0xc1],
      [0x0f, 0xae, 0x2f],
    ]),
  ],
  (chance) => [
    pick(chance, [
      [0x0f, 0x31],
      [0x0f, 0x09],
      [0xf3, 0x90],
      [0x0f, 0x01, 0x3f],
      [0x0f, 0x06],
      [0x0f, 0x01, 0xf8],
      [0x0f, 0x0b],
    ]),
  ],
  // A memory map bit by bit: PCI configuration.
  (chance) => [
    [
      0x66,
      0xba,
      0xf8,
      0x0c,
      0xb8,
      ...le32(0x80000000 + 256 * pick(chance, [0, 8, 9, 11]) + 4 * below(chance, 64)),
      0xef,
    ],
    [0x66, 0xba, 0xfc + below(chance, 4), 0x0c, ...setEax(chance), pick(chance, [0xee, 0xef, 0xec, 0xed])],
  ],
  // fw_cfg by DMA: the structure, big-endian, lies beside the number of the slot.
  (chance) => [
    [0xc7, 0x05, ...le32(AT.cells + 0x100), 0, below(chance, 64), 0, below(chance, 32)],
    [0xc7, 0x05, ...le32(AT.cells + 0x104), 0, 0, below(chance, 4), below(chance, 256)],
    [0xc7, 0x05, ...le32(AT.cells + 0x108), 0, 0, 0, 0, 0xc7, 0x05, ...le32(AT.cells + 0x10c), 0, 0x1a, 0, 0],
    [0xb8, 0, 0x1f, 0xf1, 0, 0x66, 0xba, 0x18, 0x05, 0xef],
  ],
  // Whatever the bytes mean.
  (chance) => [Array.from({ length: 4 + below(chance, 20) }, () => below(chance, 256))],
];

const flat = (code: Code): number[] => code.flat();

/**
 * The next slot. Every fault and interrupt leads here; the stack begins anew, and IRET lets the next NMI come. The
 * slot's number is not cleared by a reset: what broke the machine is not tried again.
 */
function dispatcher(at: number): number[] {
  const begin = [0xbc, ...le32(AT.stack), 0x6a, 0x02, 0x6a, 0x08, 0x68];
  const past = at + begin.length + 5;
  const next = [
    [0xff, 0x05, ...le32(AT.cells)],
    [0xa1, ...le32(AT.cells)],
    [0x25, ...le32(SLOTS - 1)],
    [0xc1, 0xe0, Math.log2(SLOT)],
    [0x05, ...le32(SLOTS_AT)],
    [0xff, 0xe0],
  ].flat();
  return [...begin, ...le32(past), 0xcf, ...next];
}

const jump = (from: number, to: number): number[] => [0xe9, ...le32(to - (from + 5))];

/** Byte by byte to a port below 256. */
const outs = (...writes: readonly (readonly [port: number, value: number])[]): number[] =>
  writes.flatMap(([to, value]) => [0xb0, value, 0xe6, to]);
const store = (to: number, value: number): number[] => [0xc7, 0x05, ...le32(to), ...le32(value)];

/** An NMI every so many ticks, from the PIT by the I/O APIC: out of loops and HLT. */
const WATCHDOG = [
  ...outs([0x43, 0x34], [0x40, 0x40], [0x40, 0x00]),
  ...store(0xfec00000, 0x15),
  ...store(0xfec00010, 0),
  ...store(0xfec00000, 0x14),
  ...store(0xfec00010, 0x400),
];

/** Interrupts of the PIC that need no EOI. */
const PIC = outs([0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 3], [0xa0, 0x11], [0xa1, 0x28], [0xa1, 2], [0xa1, 3]);

/** Descriptor tables and segments, the started processors' code copied below 1 MiB, and what a seed begins with. */
function prologue(chance: Chance): number[] {
  const tables = [0xfa, 0x0f, 0x01, 0x15, ...le32(AT.gdt + 0x20), 0x0f, 0x01, 0x1d, ...le32(AT.gdt + 0x28)];
  const reload = [0xea, ...le32(AT.code + tables.length + 7), 0x08, 0];
  return [
    ...tables,
    ...reload,
    ...[0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0],
    ...[0xbe, ...le32(AT.image + SIZE), 0xbf, ...le32(REAL_CODE), 0xb9, ...le32(REAL_BYTES / 4), 0xf3, 0xa5],
    ...(chance() < 0.8 ? store(0xfee000f0, 0x1ff) : []),
    ...(chance() < 0.8 ? WATCHDOG : []),
    ...(chance() < 0.5 ? PIC : []),
  ];
}

/** A kernel of random instructions, drawn by seed: device registers, MMIO, MSRs, interrupts, IPIs, and plain bytes. */
export function hostileGuest(seed: string): Uint8Array {
  const chance = seedrandom.alea(seed);
  const image = new Uint8Array(SIZE + REAL_BYTES);
  const put = (at: number, bytes: readonly number[]): void => image.set(bytes, at - AT.image);
  const flags = 0x10000;
  const end = AT.image + image.length;
  const header = [0x1badb002, flags, -(0x1badb002 + flags), AT.image, AT.image, end, end, AT.code];
  put(
    AT.image,
    header.flatMap((value) => le32(value)),
  );
  const descriptors = [0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300, 0, 0].flatMap((value) => le32(value));
  put(AT.gdt, [...descriptors, ...le(0x17, 2), ...le32(AT.gdt), 0, 0, ...le(0x7ff, 2), ...le32(AT.idt)]);
  const start = prologue(chance);
  const gadgets = GADGETS.filter(() => chance() < 0.6);
  const again = AT.code + start.length;
  for (let vector = 0; vector < 256; vector += 1) {
    put(AT.idt + 8 * vector, [...le(again % 65536, 2), 8, 0, 0, 0x8e, ...le(Math.floor(again / 65536), 2)]);
  }
  put(AT.code, [...start, ...dispatcher(again)]);
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const at = SLOTS_AT + slot * SLOT;
    const code = flat(pick(chance, gadgets)(chance)).slice(0, SLOT - 5);
    put(at, [...code, ...jump(at + code.length, again)]);
  }
  put(
    AT.image + SIZE,
    Array.from({ length: REAL_BYTES }, () =>
      chance() < 0.3 ? pick(chance, [0xe6, 0xe4, 0xef, 0xf4, 0xfb, 0x90]) : below(chance, 256),
    ),
  );
  return image;
}

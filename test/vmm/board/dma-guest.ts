/** Where things of this guest lie. */
export const AT = {
  image: 0x100000,
  code: 0x100040,
  descriptor: 0x100800,
  item: 0x100900,
  chain: 0x100a00,
  answer: 0x100a40,
};
const SIZE = 0x1000;
const ROUNDS = 50;

const le32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const be32 = (value: number): number[] => le32(value).reverse();
const swapped = (value: number): number => new DataView(Uint8Array.from(be32(value)).buffer).getUint32(0, true);

/** Multiboot 1, by its own addresses. */
const header = (): number[] => {
  const flags = 0x10000;
  const end = AT.image + SIZE;
  return [0x1badb002, flags, -(0x1badb002 + flags), AT.image, AT.image, end, end, AT.code].flatMap(le32);
};

const out32 = (port: number, value: number): number[] => [
  ...[0x66, 0xba, port & 0xff, port >>> 8, 0xb8, ...le32(value)],
  0xef,
];
const out8 = (port: number): number[] => [0x66, 0xba, port & 0xff, port >>> 8, 0xee];

/**
 * A kernel whose devices read its memory: 50 times it asks fw_cfg for its signature by DMA, and a device at port 0x80
 * to follow a chain of {next, value} that it changes each time. What came it sends over the serial line.
 */
export function dmaGuest(): Uint8Array {
  const image = new Uint8Array(SIZE);
  const put = (at: number, bytes: readonly number[]): void => image.set(bytes, at - AT.image);
  const node = (index: number): number => AT.chain + 8 * index;
  put(AT.image, header());
  put(AT.descriptor, [...be32(0), ...be32(4), ...be32(0), ...be32(AT.item)]);
  put(node(0), [...le32(node(2)), ...le32(0x41), ...le32(0), ...le32(0x43), ...le32(node(1)), ...le32(0x42)]);
  const round = [
    ...[0xc7, 0x05, ...le32(AT.descriptor), ...be32(0x0a)],
    ...out32(0x514, 0),
    ...out32(0x518, swapped(AT.descriptor)),
    ...[0xa0, ...le32(AT.item), ...out8(0x3f8)],
    ...[0xfe, 0x05, ...le32(node(1) + 4)],
    ...[0xb0, 0, ...out8(0x80)],
    ...[0xa0, ...le32(AT.answer + 2), ...out8(0x3f8)],
  ];
  const loop = [...round, 0x49, 0x75, -(round.length + 3) & 0xff];
  put(AT.code, [0xb9, ...le32(ROUNDS), ...loop, 0xb0, 0, ...out8(0xf4), 0xf4]);
  return image;
}

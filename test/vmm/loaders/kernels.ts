/** Fields of a setup header. */
interface FakeHeader {
  readonly initSize?: number;
  readonly prefAddress?: number;
  readonly alignment?: number;
  readonly protocol?: number;
  readonly setupSects?: number;
  readonly initrdMax?: number;
}

/** A bzImage with the header fields that matter and `bytes` of kernel behind `setupSects` sectors of setup. */
export function fakeBzImage(change: FakeHeader = {}): Uint8Array {
  const sects = change.setupSects ?? 1;
  const bytes = new Uint8Array((sects + 1) * 512 + 4096);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, sects);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x201, 0x6a);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, change.protocol ?? 0x20f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x214, 0x100000, true);
  view.setUint32(0x22c, change.initrdMax ?? 0x7fffffff, true);
  view.setUint32(0x230, change.alignment ?? 0x200000, true);
  view.setUint8(0x234, 1);
  view.setUint16(0x236, 0, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, BigInt(change.prefAddress ?? 0), true);
  view.setUint32(0x260, change.initSize ?? 0x800000, true);
  bytes.fill(0x90, (sects + 1) * 512);
  return bytes;
}

/** A 32-bit ELF with one part at 4 MiB that begins with a multiboot header. */
export function fakeMultiboot(fileSize = 64, memorySize = 0x1000): Uint8Array {
  const bytes = new Uint8Array(0x100 + fileSize);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(24, 0x400010, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  [1, 0x100, 0x400000, 0x400000, fileSize, memorySize, 7, 16].forEach((word, index) => {
    view.setUint32(52 + 4 * index, word, true);
  });
  view.setUint32(0x100, 0x1badb002, true);
  view.setUint32(0x108, -0x1badb002 >>> 0, true);
  return bytes;
}

/** The change a test makes of a PVH kernel's note. */
export interface PvhNote {
  readonly owner?: string;
  readonly type?: number;
  /** Where the note's part says that it begins, and how long it says it is. */
  readonly at?: number;
  readonly length?: number;
}

/** A 32-bit ELF with one part at 4 MiB and a note that names its entry. */
export function fakePvh({ owner = 'Xen\0', type = 18, at = 0x180, length = 20 }: PvhNote = {}): Uint8Array {
  const bytes = new Uint8Array(0x200);
  bytes.set(fakeMultiboot().subarray(0, 0x100));
  const view = new DataView(bytes.buffer);
  view.setUint16(44, 2, true);
  [4, at, 0, 0, length, length, 4, 4].forEach((word, index) => {
    view.setUint32(84 + 4 * index, word, true);
  });
  view.setUint32(0x180, 4, true);
  view.setUint32(0x184, 4, true);
  view.setUint32(0x188, type, true);
  bytes.set(new TextEncoder().encode(owner), 0x18c);
  view.setUint32(0x190, 0x400020, true);
  return bytes;
}

/** A bzImage without a 32-bit entry: `code` is run in real mode, at offset 68h of the setup's second sector. */
export function fakeRealMode(code: readonly number[] = [0xf4]): Uint8Array {
  const bytes = fakeBzImage({ protocol: 0x207 });
  const view = new DataView(bytes.buffer);
  view.setUint16(0x200, 0x66eb, true);
  view.setUint32(0x214, 0, true);
  bytes.set(code, 0x268);
  return bytes;
}

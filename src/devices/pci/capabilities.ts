/** Capabilities of a PCI function as rows: what each holds and what of it a guest can write. PCI 3.0, 6.7. */
import type { ConfigByte } from './config-space.ts';

interface Row {
  readonly id: number;
  /** Bytes, with the two of the list at its beginning. */
  readonly size: number;
  /** Where it lies; without, behind the one before, on a doubleword. */
  readonly offset?: number;
  /** Its bytes at reset, by their place in it; the others are zero. */
  readonly bytes: readonly ConfigByte[];
  /** Bits a guest can write, by byte; the others are read-only. */
  readonly writable: readonly ConfigByte[];
}

/** Message-signalled interrupts: `msi()`. */
export interface MsiRow extends Row {
  readonly kind: 'msi';
  readonly vectors: number;
  readonly is64: boolean;
  readonly perVectorMask: boolean;
}

/** Message-signalled interrupts with a table in memory: `msix()`. */
export interface MsixRow extends Row {
  readonly kind: 'msix';
  readonly vectors: number;
  /** The BAR that holds table and pending bits. */
  readonly bar: 0 | 1 | 2 | 3 | 4 | 5;
  readonly tableOffset: number;
  readonly pbaOffset: number;
  /** Each vector is an eventfd that KVM turns into the message, instead of KVM_SIGNAL_MSI. */
  readonly irqfd: boolean;
}

/** One that says something and does nothing. */
export interface PlainRow extends Row {
  readonly kind: 'plain';
}

export type Capability = MsiRow | MsixRow | PlainRow;

const VENDOR_SPECIFIC = 0x09;

/** A capability whose bytes its vendor gave a meaning. Offsets count from its beginning. */
export const vendor = ({
  size,
  bytes,
  writable = [],
}: Pick<Row, 'size' | 'bytes'> & Partial<Pick<Row, 'writable'>>): PlainRow => ({
  kind: 'plain',
  id: VENDOR_SPECIFIC,
  size,
  bytes,
  writable,
});

/** A capability and where it lies in configuration space. */
export type Placed<C extends Capability = Capability> = C & { readonly offset: number };

const FIRST = 0x40;
const NEXT = 1;

/** Give each its place. */
export function placeCapabilities(rows: readonly Capability[]): readonly Placed[] {
  let free = FIRST;
  return rows.map((row) => {
    const offset = row.offset ?? free;
    free = (offset + row.size + 3) & ~3;
    return { ...row, offset };
  });
}

/** Bytes of the list and of all that is in it. As in QEMU the one that was added last comes first. */
export function capabilityBytes(placed: readonly Placed[]): readonly ConfigByte[] {
  return placed.flatMap(({ id, offset, bytes }, index): ConfigByte[] => [
    [offset, id],
    [offset + NEXT, placed[index - 1]?.offset ?? 0],
    ...bytes.map(([at, value]): ConfigByte => [offset + at, value]),
  ]);
}

/** The bits of a byte that a guest can write where a capability lies; undefined where none does. */
export function writableIn(placed: readonly Placed[], at: number): number | undefined {
  const found = placed.find(({ offset, size }) => at >= offset && at < offset + size);
  return found === undefined ? undefined : (found.writable.find(([byte]) => found.offset + byte === at)?.[1] ?? 0);
}

/** Little-endian bytes of a number, from a place on. */
export const bytesAt = (at: number, size: number, value: number): ConfigByte[] =>
  Array.from({ length: size }, (_, byte) => [at + byte, Math.floor(value / 2 ** (8 * byte)) & 0xff] as const);

/** The only capability of a kind; undefined: there is none. */
export const capabilityOf = <K extends Capability['kind']>(
  placed: readonly Placed[] | undefined,
  kind: K,
): Placed<Extract<Capability, { kind: K }>> | undefined =>
  placed?.find((each): each is Placed<Extract<Capability, { kind: K }>> => each.kind === kind);

import { DwarfBytes } from './bytes.ts';

/** What entries have in common. DWARF 5, 6.4.1; the letters of `.eh_frame` are those of the AMD64 ABI, 4.2.4. */
export interface CommonEntry {
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly returnRegister: number;
  /** How addresses are written. */
  readonly encoding: number;
  /** Data of its own follows in each entry. */
  readonly isAugmented: boolean;
  /** It was entered by an interrupt or a signal: its caller's address is that of the next instruction. */
  readonly isSignal: boolean;
  readonly instructions: DwarfBytes;
}

/** How the caller is found from a range of addresses. */
export interface FrameEntry {
  readonly start: bigint;
  readonly end: bigint;
  readonly common: CommonEntry;
  readonly instructions: DwarfBytes;
}

/** A section with such entries. */
export interface FrameSection {
  readonly bytes: Uint8Array;
  /** Where it is in the guest's memory. */
  readonly address: bigint;
  /** `.eh_frame`, and not `.debug_frame`. */
  readonly isEh: boolean;
  /** Bytes of an address. */
  readonly addressSize: number;
}

/** All entries in order of address; what is damaged ends them. */
export function frameEntries(section: FrameSection): FrameEntry[] {
  const entries: FrameEntry[] = [];
  const common = new Map<number, CommonEntry | undefined>();
  const all = new DwarfBytes(section.bytes);
  try {
    while (!all.isOver) readEntry(all, section, common, entries);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return entries.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

function readEntry(
  all: DwarfBytes,
  section: FrameSection,
  known: Map<number, CommonEntry | undefined>,
  entries: FrameEntry[],
): void {
  const { length, offsetSize } = all.unit();
  // A terminator; the linker may have joined sections behind it.
  if (length === 0) return;
  const from = all.at;
  const entry = all.part(length);
  const id = Number(entry.wide(section.isEh ? 4 : offsetSize));
  if (isCommon(id, section.isEh, offsetSize)) return;
  const place = section.isEh ? from - id : id;
  if (!known.has(place)) known.set(place, commonAt(section, place));
  const common = known.get(place);
  if (common === undefined) return;
  const start = pointer(entry, common.encoding, section);
  const size = pointer(entry, common.encoding & 0x0f, section);
  if (common.isAugmented) entry.skip(entry.count());
  if (start !== undefined && size !== undefined && size > 0n && start !== 0n) {
    entries.push({ start, end: start + size, common, instructions: entry });
  }
}

const isCommon = (id: number, isEh: boolean, offsetSize: number): boolean =>
  isEh ? id === 0 : id === (offsetSize === 4 ? 0xffff_ffff : Number(0xffff_ffff_ffff_ffffn));

const VERSIONS = [1, 3, 4];

/** Undefined: it says something that is not known here. */
function commonAt(section: FrameSection, place: number): CommonEntry | undefined {
  const all = new DwarfBytes(section.bytes, place);
  const { length, offsetSize } = all.unit();
  const entry = all.part(length);
  if (!isCommon(Number(entry.wide(section.isEh ? 4 : offsetSize)), section.isEh, offsetSize)) return undefined;
  const version = entry.u8();
  if (!VERSIONS.includes(version)) return undefined;
  const letters = entry.text();
  if (version === 4) entry.skip(2);
  const codeAlign = entry.count();
  const dataAlign = Number(entry.signed());
  const returnRegister = version === 1 ? entry.u8() : entry.count();
  const isAugmented = letters.startsWith('z');
  if (letters !== '' && !isAugmented) return undefined;
  if (isAugmented) entry.unsigned();
  const said = augmentation(entry, letters, section);
  return said && { codeAlign, dataAlign, returnRegister, isAugmented, ...said, instructions: entry };
}

function augmentation(entry: DwarfBytes, letters: string, section: FrameSection) {
  let encoding = 0;
  let isSignal = false;
  for (const letter of letters) {
    if (letter === 'R') encoding = entry.u8();
    else if (letter === 'S') isSignal = true;
    else if (letter === 'L') entry.skip(1);
    else if (letter === 'P') pointer(entry, entry.u8() & 0x7f, section);
    else if (letter !== 'z') return undefined;
  }
  return { encoding, isSignal };
}

const RELATIVE = 0x10;
const OMITTED = 0xff;

/** An address, as the Linux Standard Base writes them: "DWARF Exception Header Encoding". */
function pointer(entry: DwarfBytes, encoding: number, section: FrameSection): bigint | undefined {
  if (encoding === OMITTED) return undefined;
  const from = section.address + BigInt(entry.at);
  const value = encoded(entry, encoding & 0x0f, section.addressSize);
  const application = encoding & 0xf0;
  if (value === undefined || (application !== 0 && application !== RELATIVE)) return undefined;
  return BigInt.asUintN(8 * section.addressSize, application === RELATIVE ? from + value : value);
}

function encoded(entry: DwarfBytes, form: number, addressSize: number): bigint | undefined {
  switch (form) {
    case 0x0:
      return entry.wide(addressSize);
    case 0x1:
      return entry.unsigned();
    case 0x2:
      return entry.wide(2);
    case 0x3:
      return entry.wide(4);
    case 0x4:
      return entry.wide(8);
    case 0x9:
      return entry.signed();
    case 0xa:
      return entry.signedWide(2);
    case 0xb:
      return entry.signedWide(4);
    case 0xc:
      return entry.signedWide(8);
    default:
      return undefined;
  }
}

import { partitionPoint } from '../../../base/partition.ts';
import { DwarfBytes } from './bytes.ts';
import { textAt } from '../elf.ts';

/** A line of a source file, named as its compiler was told. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
}

/** Which line an address comes from. */
export interface LineTable {
  lineAt(address: bigint): SourceLine | undefined;
}

/** `.debug_line`, and where it keeps names: `.debug_line_str`, `.debug_str`. */
export interface LineSections {
  readonly lines: Uint8Array;
  readonly lineTexts?: Uint8Array | undefined;
  readonly texts?: Uint8Array | undefined;
  /** Bytes of an address. */
  readonly addressSize: number;
}

interface Row {
  readonly address: bigint;
  readonly file: number;
  readonly line: number;
  readonly isStatement: boolean;
}

/** Rows of rising addresses, up to where the last one ends. */
interface Sequence {
  readonly start: bigint;
  readonly end: bigint;
  readonly rows: readonly Row[];
  readonly files: readonly string[];
}

/** The line tables of a file, versions 2 to 5. What is damaged ends them; what came before is told. DWARF 5, 6.2. */
export function lineTable(sections: LineSections): LineTable {
  const sequences: Sequence[] = [];
  const all = new DwarfBytes(sections.lines);
  try {
    while (!all.isOver) {
      const { length, offsetSize } = all.unit();
      readUnit(all.part(length), offsetSize, sections, sequences);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  sequences.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  return { lineAt: (address) => lineIn(sequences, address) };
}

/** The last element at or before an address; -1: none is. */
const lastBefore = <T>(list: readonly T[], address: bigint, of: (each: T) => bigint): number =>
  partitionPoint(list.length, (at) => of(list[at] as T) <= address) - 1;

function lineIn(sequences: readonly Sequence[], address: bigint): SourceLine | undefined {
  const sequence = sequences[lastBefore(sequences, address, ({ start }) => start)];
  if (sequence === undefined || address >= sequence.end) return undefined;
  const { rows, files } = sequence;
  const last = lastBefore(rows, address, (row) => row.address);
  const found = rows[last];
  if (found === undefined) return undefined;
  // One at which no statement begins gives way to one at the same address at which one does, as in gdb.
  const beginning = rows.slice(0, last + 1).findLast((row) => row.address !== found.address || row.isStatement);
  const { line, file } = beginning?.address === found.address ? beginning : found;
  const name = files[file];
  return line === 0 || name === undefined ? undefined : { file: name, line };
}

/** What a unit's header says about its program. */
interface Program {
  readonly version: number;
  readonly step: number;
  readonly startsStatements: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly lengths: readonly number[];
}

const VERSIONS = [2, 3, 4, 5];

function readUnit(unit: DwarfBytes, offsetSize: 4 | 8, sections: LineSections, into: Sequence[]): void {
  const version = unit.u16();
  if (!VERSIONS.includes(version)) return;
  if (version >= 5) unit.skip(2);
  const length = Number(unit.wide(offsetSize));
  const header = new DwarfBytes(unit.bytes, unit.at, unit.at + length);
  unit.skip(length);
  const step = header.u8();
  // Several operations in one instruction are of machines that x86 is none of.
  if (version >= 4) header.skip(1);
  const startsStatements = header.u8() !== 0;
  const lineBase = Number(header.signedWide(1));
  const lineRange = header.u8();
  const lengths = Array.from({ length: Math.max(0, header.u8() - 1) }, () => header.u8());
  const files = version >= 5 ? filesOf5(header, offsetSize, sections) : filesOf2(header);
  if (lineRange === 0) return;
  runProgram(unit, { version, step, startsStatements, lineBase, lineRange, lengths }, files, sections, into);
}

const isRooted = (path: string): boolean => path.startsWith('/');
const joined = (folder: string | undefined, name: string): string =>
  folder === undefined || isRooted(name) ? name : `${folder}/${name}`;

/** Versions 2 to 4: both lists end with an empty name, and count from 1. */
function filesOf2(header: DwarfBytes): string[] {
  const folders: string[] = [];
  for (let folder = header.text(); folder !== ''; folder = header.text()) folders.push(folder);
  const files = [''];
  for (let name = header.text(); name !== ''; name = header.text()) {
    const folder = header.count();
    header.unsigned();
    header.unsigned();
    files.push(joined(folders[folder - 1], name));
  }
  return files;
}

/** Version 5: both lists say what they are made of; the first folder is where the compiler ran. */
function filesOf5(header: DwarfBytes, offsetSize: 4 | 8, sections: LineSections): string[] {
  const folders = entriesOf(header, offsetSize, sections).map(({ path }) => path);
  const files = entriesOf(header, offsetSize, sections);
  return files.map(({ path, folder }) => joined(folder === 0 ? undefined : folders[folder], path));
}

const PATH = 1;
const FOLDER = 2;

function entriesOf(header: DwarfBytes, offsetSize: 4 | 8, sections: LineSections): { path: string; folder: number }[] {
  const forms = Array.from({ length: header.u8() }, () => [header.count(), header.count()] as const);
  const count = header.count();
  const entries: { path: string; folder: number }[] = [];
  for (let at = 0; at < count; at += 1) {
    if (forms.length === 0 || header.isOver) throw new RangeError('more files than there is room for');
    const entry = { path: '', folder: 0 };
    for (const [content, form] of forms) {
      const value = formValue(header, form, offsetSize, sections);
      if (content === PATH) entry.path = String(value);
      if (content === FOLDER) entry.folder = Number(value);
    }
    entries.push(entry);
  }
  return entries;
}

/** DWARF 5, 7.5.6. */
function formValue(header: DwarfBytes, form: number, offsetSize: 4 | 8, sections: LineSections): string | number {
  switch (form) {
    case 0x08:
      return header.text();
    case 0x0e:
      return textAt(sections.texts, Number(header.wide(offsetSize)));
    case 0x1f:
      return textAt(sections.lineTexts, Number(header.wide(offsetSize)));
    case 0x0b:
      return header.u8();
    case 0x05:
      return header.u16();
    case 0x06:
      return header.u32();
    case 0x07:
      return Number(header.wide(8));
    case 0x0f:
      return header.count();
    case 0x09:
      header.skip(header.count());
      return 0;
    case 0x1e:
      header.skip(16);
      return 0;
    default:
      throw new RangeError(`form ${form} is not known`);
  }
}

const EXTENDED = 0;
const OP = {
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  negateStatement: 6,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;
const END_SEQUENCE = 1;
const SET_ADDRESS = 2;

/** The state machine. DWARF 5, 6.2.5. */
function runProgram(
  unit: DwarfBytes,
  program: Program,
  files: readonly string[],
  { addressSize }: LineSections,
  into: Sequence[],
): void {
  const { step, startsStatements, lineBase, lineRange, lengths } = program;
  const first = lengths.length + 1;
  const begin = () => ({ address: 0n, file: 1, line: 1, isStatement: startsStatements });
  let now = begin();
  let rows: Row[] = [];
  const advance = (by: number): void => {
    now.address = BigInt.asUintN(64, now.address + BigInt(by * step));
  };
  const end = (): void => {
    const start = rows[0]?.address ?? 0n;
    // What the linker threw away begins at 0.
    if (start !== 0n && now.address > start) into.push({ start, end: now.address, rows, files });
    rows = [];
    now = begin();
  };
  const extended = (): void => {
    const length = unit.count();
    const part = unit.part(length);
    const code = length === 0 ? 0 : part.u8();
    if (code === END_SEQUENCE) end();
    else if (code === SET_ADDRESS) now.address = part.wide(addressSize);
  };
  while (!unit.isOver) {
    const code = unit.u8();
    if (code >= first) {
      advance(Math.floor((code - first) / lineRange));
      now.line += lineBase + ((code - first) % lineRange);
      rows.push({ ...now });
    } else if (code === EXTENDED) extended();
    else if (code === OP.copy) rows.push({ ...now });
    else if (code === OP.advancePc) advance(unit.count());
    else if (code === OP.advanceLine) now.line += Number(unit.signed());
    else if (code === OP.setFile) now.file = unit.count();
    else if (code === OP.negateStatement) now.isStatement = !now.isStatement;
    else if (code === OP.constAddPc) advance(Math.floor((255 - first) / lineRange));
    else if (code === OP.fixedAdvancePc) now.address = BigInt.asUintN(64, now.address + BigInt(unit.u16()));
    else for (let left = lengths[code - 1] ?? 0; left > 0; left -= 1) unit.unsigned();
  }
}

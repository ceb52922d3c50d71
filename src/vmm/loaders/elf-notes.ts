import { isElf, programHeaderTable } from './elf.ts';

/** Notes of an ELF file, and where they stand in it. */
export interface Notes {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A note: whose it is, what kind, and what it says. */
export interface Note {
  readonly owner: string;
  readonly type: number;
  readonly content: Uint8Array;
}

/** The parts of an ELF file that hold notes, cut off where no loader looks. None in a file that does not hold them. */
export function notesOf(bytes: Uint8Array): readonly Notes[] {
  if (!isElf(bytes)) return [];
  const { start, end } = programHeaderTable(bytes);
  if (end > bytes.length || end <= start) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const is64 = bytes[4] === ELFCLASS64;
  const [size, least] = is64 ? [view.getUint16(54, true), 56] : [view.getUint16(42, true), 32];
  const parts: Notes[] = [];
  for (let at = start; size >= least && at + least <= end && parts.length < MOST_PARTS; at += size) {
    if (view.getUint32(at, true) !== PT_NOTE) continue;
    const offset = is64 ? Number(view.getBigUint64(at + 8, true)) : view.getUint32(at + 4, true);
    const length = is64 ? Number(view.getBigUint64(at + 32, true)) : view.getUint32(at + 16, true);
    if (offset < bytes.length) {
      parts.push({ at: offset, bytes: bytes.subarray(offset, offset + Math.min(length, MOST_BYTES)) });
    }
  }
  return parts;
}

/** Notes stand one after the other, owner and content each filled up to four bytes. System V ABI, chapter 5. */
export function* notesIn(bytes: Uint8Array): Generator<Note> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const [ownerSize, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const owner = at + HEADER;
    const content = owner + filled(ownerSize);
    if (content + size > bytes.length) return;
    yield {
      owner: new TextDecoder().decode(bytes.subarray(owner, owner + ownerSize)).replace(/\0$/, ''),
      type: view.getUint32(at + 8, true),
      content: bytes.subarray(content, content + size),
    };
    at = content + filled(size);
  }
}

const filled = (length: number): number => Math.ceil(length / 4) * 4;

const ELFCLASS64 = 2;
const PT_NOTE = 4;
const HEADER = 12;
/** A kernel has one or two, of a few hundred bytes. */
const MOST_PARTS = 8;
const MOST_BYTES = 0x10000;

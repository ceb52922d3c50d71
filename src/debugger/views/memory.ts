import { Problem } from '../../base/problem.ts';
import { peekDevice, peekLinear } from '../../machine/device-peek.ts';
import { readLinear, readPhysical } from '../../machine/guest-view.ts';
import { type InstructionSeen, instructionsAt, instructionText } from '../look/instructions.ts';
import { evaluate, type NamedPlace, placeAt, placeText, type Vantage } from '../look/vantage.ts';
import { viewOf } from './view.ts';

/** Which addresses: through the guest's page tables, or guest-physical. */
type Space = 'linear' | 'physical';

const UNITS: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const LINE_BYTES = 16;
const MOST = 4096;
const LONGEST_TEXT = 256;

/** A line of memory: its bytes taken as numbers of one size. */
interface CellsSeen extends NamedPlace {
  readonly cells: readonly bigint[];
}

/** Memory as numbers, as a text or as instructions. */
type MemorySeen =
  | {
      readonly as: 'numbers';
      readonly format: string;
      readonly size: number;
      readonly lines: readonly CellsSeen[];
      /** It is no memory but registers of this device. */
      readonly device: string | undefined;
    }
  | { readonly as: 'text'; readonly at: NamedPlace; readonly text: string }
  | { readonly as: 'instructions'; readonly instructions: readonly InstructionSeen[] };

/** `/NFU ADDR` as gdb's `x` reads it: formats x d u c s i, units b h w g. */
function memorySeen(from: Vantage, words: string, space: Space): MemorySeen {
  const match = /^(?:\/(\d*)([xductsi]?)([bhwg]?)\s+)?(\S.*)$/.exec(words);
  if (match === null) throw new Problem('Say what to look at: `x/4xg ADDR`.');
  const [, digits, format = '', unit = '', what] = match;
  const count = digits === undefined || digits === '' ? 1 : Number(digits);
  if (count < 1 || count > MOST) throw new Problem(`${count} is not a count from 1 to ${MOST}.`);
  const address = evaluate(from, what as string);
  if (format === 'i') return { as: 'instructions', instructions: instructionsAt(from, address, count) };
  if (format === 's') return { as: 'text', at: placeAt(from, address), text: textAt(from, address, space) };
  const size = UNITS[unit] ?? (format === 'c' ? 1 : 8);
  const { bytes, device } = memoryOrDevice(from, address, count * size, space);
  if (bytes.length < size) throw new Problem(`There is no memory at 0x${address.toString(16)}.`);
  return { as: 'numbers', format, size, lines: linesOf(from, address, bytes, size), device };
}

/** Memory, or else a device's registers as a read without side effects gives them. */
function memoryOrDevice(from: Vantage, address: bigint, length: number, space: Space) {
  const bytes = read(from, address, length, space);
  if (bytes.length > 0) return { bytes, device: undefined };
  const { view, vcpu } = from;
  const seen =
    space === 'linear' ? peekLinear(view, vcpu, address, length) : peekDevice(view, vcpu, Number(address), length);
  if (seen === undefined) return { bytes, device: undefined };
  if (seen.bytes !== undefined) return { bytes: seen.bytes, device: seen.device };
  const where = `0x${address.toString(16)}`;
  throw new Problem(`There are registers of ${seen.device} at ${where}: a read would change what they hold.`);
}

const read = ({ view, vcpu }: Vantage, address: bigint, length: number, space: Space): Uint8Array =>
  space === 'linear' ? readLinear(view, vcpu, address, length) : readPhysical(view, Number(address), length);

function textAt(from: Vantage, address: bigint, space: Space): string {
  const bytes = read(from, address, LONGEST_TEXT, space);
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}

function linesOf(from: Vantage, address: bigint, bytes: Uint8Array, size: number): CellsSeen[] {
  const lines: CellsSeen[] = [];
  for (let at = 0; at + size <= bytes.length; at += LINE_BYTES) {
    const cells: bigint[] = [];
    for (let cell = at; cell < at + LINE_BYTES && cell + size <= bytes.length; cell += size) {
      cells.push(bytes.subarray(cell, cell + size).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
    }
    lines.push({ ...placeAt(from, address + BigInt(at)), cells });
  }
  return lines;
}

function memoryText(seen: MemorySeen): string {
  if (seen.as === 'instructions') return seen.instructions.map(instructionText).join('\n');
  if (seen.as === 'text') return `${placeText(seen.at)}: ${JSON.stringify(seen.text)}`;
  const { format, size, lines, device } = seen;
  const cells = lines.map(
    (line) => `${placeText(line)}: ${line.cells.map((value) => cellText(value, size, format)).join(' ')}`,
  );
  return [...(device === undefined ? [] : [`Registers of ${device}:`]), ...cells].join('\n');
}

function cellText(value: bigint, size: number, format: string): string {
  if (format === 'd') return String(BigInt.asIntN(size * 8, value));
  if (format === 'u') return String(value);
  if (format === 'c') return `${value} ${JSON.stringify(String.fromCharCode(Number(value)))}`;
  return `0x${value.toString(16).padStart(size * 2, '0')}`;
}

export const MEMORY = viewOf({
  usage: 'x[/NFU] ADDR',
  help: 'memory, as gdb prints it',
  look: (from, words) => memorySeen(from, words, 'linear'),
  print: memoryText,
});

export const PHYSICAL_MEMORY = viewOf({
  usage: 'xp[/NFU] GPA',
  help: 'guest-physical memory',
  look: (from, words) => memorySeen(from, words, 'physical'),
  print: memoryText,
});

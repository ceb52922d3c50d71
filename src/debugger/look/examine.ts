import { Problem } from '../../base/problem.ts';
import { readLinear, readPhysical } from '../../machine/guest-view.ts';
import { type DebugSession, disassembly, evaluate, named } from '../session.ts';

/** Which addresses: through the guest's page tables, or guest-physical. */
export type ExamineForm = 'linear' | 'physical';

const UNITS: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const LINE_BYTES = 16;
const MOST = 4096;

/** Memory as gdb's `x` prints it: `/NFU ADDR`, formats x d u c s i, units b h w g. */
export function examine(session: DebugSession, words: string, form: ExamineForm): string[] {
  const match = /^(?:\/(\d*)([xductsi]?)([bhwg]?)\s+)?(\S.*)$/.exec(words);
  if (match === null) throw new Problem('Say what to look at: `x/4xg ADDR`.');
  const [, digits, format = '', unit = '', what] = match;
  const count = digits === undefined || digits === '' ? 1 : Number(digits);
  if (count < 1 || count > MOST) throw new Problem(`${count} is not a count from 1 to ${MOST}.`);
  const address = evaluate(session, what as string);
  if (format === 'i') return disassembly(session, address, count);
  if (format === 's') return [`${named(session, address)}: ${JSON.stringify(textAt(session, address, form))}`];
  const size = UNITS[unit] ?? (format === 'c' ? 1 : 8);
  const bytes = read(session, address, count * size, form);
  if (bytes.length < size) throw new Problem(`There is no memory at 0x${address.toString(16)}.`);
  return rows(session, address, bytes, size, format);
}

function rows(session: DebugSession, address: bigint, bytes: Uint8Array, size: number, format: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at + size <= bytes.length; at += LINE_BYTES) {
    const cells: string[] = [];
    for (let cell = at; cell < at + LINE_BYTES && cell + size <= bytes.length; cell += size) {
      cells.push(cellOf(bytes.subarray(cell, cell + size), format));
    }
    lines.push(`${named(session, address + BigInt(at))}: ${cells.join(' ')}`);
  }
  return lines;
}

function cellOf(bytes: Uint8Array, format: string): string {
  const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  if (format === 'd') return String(BigInt.asIntN(bytes.length * 8, value));
  if (format === 'u') return String(value);
  if (format === 'c') return `${value} ${JSON.stringify(String.fromCharCode(Number(value)))}`;
  return `0x${value.toString(16).padStart(bytes.length * 2, '0')}`;
}

const LONGEST_TEXT = 256;

function textAt(session: DebugSession, address: bigint, form: ExamineForm): string {
  const bytes = read(session, address, LONGEST_TEXT, form);
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}

const read = ({ view, vcpu }: DebugSession, address: bigint, length: number, form: ExamineForm): Uint8Array =>
  form === 'linear' ? readLinear(view, vcpu, address, length) : readPhysical(view, Number(address), length);

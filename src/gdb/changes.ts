import type { WantedChange } from '../debugger/forks/forks.ts';
import { type GuestView, hvaOf, physicalOf } from '../machine/guest-view.ts';
import { hexNumber, hexOf } from './packet.ts';
import { REGISTERS, type RegisterRow, registerView, type RegisterView, targetHex } from './registers.ts';
import type { StubSubject } from './stub-subject.ts';

const MALFORMED = 'E22';
const UNMAPPED = 'E14';
const PAGE = 4096;
const ALL_DIGITS = REGISTERS.reduce((sum, { bits }) => sum + bits / 4, 0);

/** `n=value`, little-endian. */
export function writeRegister(subject: StubSubject, vcpu: number, rest: string): string {
  const [, number, digits] = /^([0-9a-fA-F]{1,4})=([0-9a-fA-F]+)$/.exec(rest) ?? [];
  const row = number === undefined ? undefined : REGISTERS[Number.parseInt(number, 16)];
  if (row === undefined || digits === undefined || digits.length !== row.bits / 4) return MALFORMED;
  // gdb puts all registers back after a call, changed or not, ours too: they tell where the run stands all the same.
  if (row.isPseudo === true || isAs(viewOf(subject, vcpu), row, digits)) return 'OK';
  const change = registerChange(row, vcpu, valueIn(digits));
  return change === undefined ? refusal(row) : answer(subject, [change]);
}

/** All registers; those that are as they were are left alone. */
export function writeAllRegisters(subject: StubSubject, vcpu: number, rest: string): string {
  if (rest.length !== ALL_DIGITS || /[^0-9a-fA-F]/.test(rest)) return MALFORMED;
  const view = viewOf(subject, vcpu);
  const changes: WantedChange[] = [];
  let at = 0;
  for (const row of REGISTERS) {
    const digits = rest.slice(at, at + row.bits / 4);
    at += row.bits / 4;
    if (row.isPseudo === true || isAs(view, row, digits)) continue;
    const change = registerChange(row, vcpu, valueIn(digits));
    if (change === undefined) return refusal(row);
    changes.push(change);
  }
  return answer(subject, changes);
}

const viewOf = (subject: StubSubject, vcpu: number): RegisterView =>
  registerView(subject.registers(vcpu), subject.moment());

const isAs = (view: RegisterView, row: RegisterRow, digits: string): boolean =>
  digits.toLowerCase() === targetHex(row.read(view), row.bits);

const refusal = ({ name }: RegisterRow): string => `E.${name} cannot be written.`;

function answer(subject: StubSubject, changes: readonly WantedChange[]): string {
  if (changes.length === 0) return 'OK';
  const why = subject.change(changes);
  return why === undefined ? 'OK' : `E.${why}`;
}

/** gdb's digits are little-endian. */
const valueIn = (digits: string): bigint => BigInt(`0x${(digits.match(/../g) ?? []).reverse().join('')}`);

function registerChange({ written, bits }: RegisterRow, vcpu: number, value: bigint): WantedChange | undefined {
  if (written === undefined) return undefined;
  const text = `0x${value.toString(16)}`;
  if (typeof written === 'string') {
    const said = `vcpu${vcpu}.${written}=${text}`;
    return { intervention: { what: 'register', vcpu, name: written, value: text }, said };
  }
  const bytes = targetHex(value, bits);
  return {
    intervention: { what: 'xsave', vcpu, offset: written, bytes },
    said: `vcpu${vcpu}.xsave+${written}=${bytes}`,
  };
}

/** `address,length:data`, through the page tables of a vCPU; undefined: guest-physical. */
export function writeMemory(
  subject: StubSubject,
  vcpu: number | undefined,
  rest: string,
  decode: (data: string) => Uint8Array | undefined,
): string {
  const colon = rest.indexOf(':');
  const [address, length] = rest.slice(0, Math.max(0, colon)).split(',').map(hexNumber);
  const bytes = decode(rest.slice(colon + 1));
  if (address === undefined || length === undefined || bytes?.length !== Number(length)) return MALFORMED;
  const changes = memoryChanges(subject.view(), vcpu, address, bytes);
  return changes === undefined ? UNMAPPED : answer(subject, changes);
}

/** One change for each page; undefined when one of them is not mapped memory. */
function memoryChanges(
  view: GuestView,
  vcpu: number | undefined,
  address: bigint,
  bytes: Uint8Array,
): readonly WantedChange[] | undefined {
  const changes: WantedChange[] = [];
  for (let at = 0; at < bytes.length; ) {
    const linear = BigInt.asUintN(64, address + BigInt(at));
    const gpa = vcpu === undefined ? Number(linear) : physicalOf(view, vcpu, linear);
    if (gpa === undefined || hvaOf(view, gpa) === undefined) return undefined;
    const piece = hexOf(bytes.subarray(at, at + PAGE - (gpa % PAGE)));
    changes.push({
      intervention: { what: 'memory', gpa, bytes: piece },
      said: `mem:0x${gpa.toString(16)}=${piece}`,
    });
    at += piece.length / 2;
  }
  return changes;
}

import { describe, expect, test } from 'vitest';
import { printEvents } from '../../../src/cli/events-command.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { VOCABULARY } from '../../../src/events/vocabulary.ts';
import { briefOf } from '../../../src/replay/export/brief.ts';
import { csvLine, eventColumns } from '../../../src/replay/export/event-columns.ts';
import { checkKinds, filterOf, matcher, wantedKinds } from '../../../src/replay/export/event-filter.ts';
import { eventLine, fitted, widthsFor } from '../../../src/replay/export/event-line.ts';
import { sampleEvents } from '../trace/sample.ts';

const stamp = (event: object, source = 16): Stamped =>
  ({ seq: 57, tick: 1034, source, cause: undefined, within: 55, event }) as unknown as Stamped;
const EXIT = sampleEvents(20).find(({ event }) => event.kind === 'kvm_exit')?.event as Extract<
  MachineEvent,
  { kind: 'kvm_exit' }
>;
const exit = (fields: object): Stamped => stamp({ ...EXIT, info1: 0n, a0: 0n, guest_rip: 0x1000n, ...fields });

describe('a line of an event', () => {
  test('begins with places one can type back', () => {
    const line = eventLine(stamp({ kind: 'sim:pic_write', port: 0x21, val: 0xff }, 0), widthsFor(70_000));
    expect(line).toBe('   #57       1034 main-loop sim:pic_write: port 0x21 (kvm-pic) val 0xff');
  });

  test.each([
    [{ exit_reason: 10, a0: 0n, a1: 0n }, 'reason CPUID rip 0x1000'],
    [{ exit_reason: 10, a0: 7n, a1: 1n }, 'reason CPUID eax 0x7 ecx 0x1 rip 0x1000'],
    [{ exit_reason: 32, a0: 0xc0000080n, a1: 0x500n }, 'reason MSR_WRITE msr EFER = 0x500 rip 0x1000'],
    [{ exit_reason: 48, info1: 0x182n, gpa: 0xfec00000 }, 'reason EPT_VIOLATION gpa 0xfec00000 write rip 0x1000'],
    [{ exit_reason: 30, info1: 0x3f80000n }, 'reason IO_INSTRUCTION out port 0x3f8 (serial) size 1 rip 0x1000'],
    [{ exit_reason: 30, info1: 0x3fd0008n }, 'reason IO_INSTRUCTION in port 0x3fd (serial) size 1 rip 0x1000'],
    [{ exit_reason: 28, info1: 0x10n }, 'reason CR_ACCESS from cr0 rip 0x1000'],
    [
      { exit_reason: 0, intr_info: 0x80000b0e, error_code: 2 },
      /^reason EXCEPTION_NMI rip 0x1000 intr_info 0x80000b0e err/,
    ],
    [{ exit_reason: 0x80000021 }, 'reason INVALID_STATE|FAILED_VMENTRY rip 0x1000'],
    [{ exit_reason: 999 }, 'reason 0x3e7 rip 0x1000'],
  ])('names numbers and leaves out what is zero: %#', (fields, expected) => {
    const text = briefOf(exit(fields).event);
    if (typeof expected === 'string') expect(text).toBe(expected);
    else expect(text).toMatch(expected);
  });

  test.each([
    [{ kind: 'kvm_pio', rw: 0, port: 0x71, size: 1, count: 1, val: 2 }, 'pio_read at 0x71 (rtc) val 0x2'],
    [{ kind: 'kvm_pio', rw: 1, port: 0xc000, size: 1, count: 1, val: 2 }, 'pio_write at 0xc000 val 0x2'],
    [{ kind: 'sim:pit_write', port: 0x43, val: 0x34 }, 'port 0x43 (kvm-pit) val 0x34'],
    [{ kind: 'sim:coalesced_write', addr: 0x70, pio: true, data: Uint8Array.of(1) }, 'port 0x70 (rtc) 1 bytes'],
    [{ kind: 'sim:coalesced_write', addr: 0xb8000, pio: false, data: Uint8Array.of(1) }, 'gpa 0xb8000 1 bytes'],
    [{ kind: 'kvm_vm_ioctl', type: 0xae03, arg: 9 }, 'KVM_CHECK_EXTENSION arg 0x9'],
    [{ kind: 'kvm_vcpu_ioctl', cpu_index: 0, type: 0xae80, arg: 0 }, 'cpu_index 0 KVM_RUN'],
    [{ kind: 'kvm_ioctl', type: 0x1234, arg: 0 }, 'type 0x1234'],
    [{ kind: 'sim:request', vcpu_id: 1, requests: 0x21 }, 'vcpu 1 EVENT|TLB_FLUSH'],
    [{ kind: 'sim:requests_served', vcpu_id: 0, requests: 0x1008 }, 'vcpu 0 STEAL_UPDATE|0x1000'],
    [{ kind: 'ioctl:KVM_SET_MP_STATE', vcpu_id: 1, mp_state: 1 }, 'vcpu 1 UNINITIALIZED'],
  ])('names ports, requests and states: %#', (event, expected) => {
    expect(briefOf(event as unknown as MachineEvent)).toBe(expected);
  });

  test('is as long as the terminal is wide, and does nothing to it', () => {
    expect(fitted('0123456789', 8)).toBe('01234...');
    expect(fitted('0123456789', 10)).toBe('0123456789');
    expect(fitted('0123456789', undefined)).toBe('0123456789');
    const hostile = stamp({ kind: 'sim:unknown', name: 'x\u001b[2J\r\n', value: '\u202e\u009b' });
    expect(eventLine(hostile, widthsFor(1))).toContain('x\\x1b[2J\\x0d\\n: \\u202e\\u009b');
  });

  test('is there for every kind of event', () => {
    const blank = { u: 0, i: 0, u64: 0n, text: '', bytes: new Uint8Array(0), packet: new Uint8Array(0), bool: false };
    for (const [kind, row] of Object.entries(VOCABULARY)) {
      const fields = Object.entries(row.fields).map(([name, type]) => [name, blank[type as keyof typeof blank]]);
      expect(briefOf({ kind, ...Object.fromEntries(fields) } as unknown as MachineEvent)).not.toMatch(/undefined|NaN/);
    }
  });
});

describe('columns of events', () => {
  const msr = stamp({ kind: 'kvm_msr', write: 1, ecx: 0xc0000080, data: 0x500n, exception: 0 });
  const pio = stamp({ kind: 'kvm_pio', rw: 1, port: 0x3f8, size: 1, count: 1, val: 65, data: Uint8Array.of(0xab) });

  test('have what is asked for, named for a person and plain for a program', () => {
    const columns = eventColumns(['seq', 'tick', 'ns', 'name', 'ecx', 'data'], ['kvm_msr', 'kvm_pio']);
    const shown = (stamped: Stamped) => columns.map((column) => column.shown(stamped, 99));
    expect(shown(msr)).toEqual(['57', '1034', '99', 'kvm_msr', 'EFER', '0x500']);
    expect(shown(pio)).toEqual(['57', '1034', '99', 'kvm_pio', '', 'ab']);
    expect(columns.map((column) => column.value(msr, 99))).toEqual([57, 1034, 99, 'kvm_msr', 0xc0000080, 0x500n]);
  });

  test('of a field that is called like one every event has are named event.FIELD', () => {
    const unknown = stamp({ kind: 'sim:unknown', name: 'future', value: '1' });
    const [kind, name] = eventColumns(['name', 'event.name'], ['sim:unknown']);
    expect([kind!.shown(unknown, 0), name!.shown(unknown, 0)]).toEqual(['sim:unknown', 'future']);
  });

  test('that there are not are refused with the nearest', () => {
    expect(() => eventColumns(['gap'], ['kvm_exit'])).toThrow('There is no column gap: did you mean gpa?');
    expect(() => eventColumns(['gpa'], ['kvm_msr'])).toThrow('There is no column gpa');
    expect(() => eventColumns(['__proto__'], ['kvm_msr'])).toThrow('There is no column __proto__');
  });

  test('are quoted in CSV as RFC 4180 says', () => {
    const cells = ['a,b', 'say "x"', 1, 2n, undefined, true, Uint8Array.of(1, 2), 'line\nbreak'];
    expect(csvLine(cells)).toBe('"a,b","say ""x""",1,0x2,,true,0102,line\\nbreak');
  });
});

describe('a filter of events', () => {
  test('knows kinds by patterns, and refuses others with the nearest', () => {
    expect(wantedKinds({ kinds: ['*_pio'] })).toEqual(new Set(['kvm_pio', 'kvm_set_ioeventfd_pio']));
    expect(wantedKinds({ kinds: ['k*_io*l'] })).toEqual(new Set(['kvm_ioctl', 'kvm_vm_ioctl', 'kvm_vcpu_ioctl']));
    expect(wantedKinds({ kinds: ['*', 'x'] }).size).toBe(Object.keys(VOCABULARY).length);
    expect(() => checkKinds(['kvm_exti'])).toThrow('No kind of event is named kvm_exti: did you mean');
    // Many stars are no long work.
    expect(() => checkKinds([`${'*a'.repeat(400)}*`])).toThrow('No kind of event');
  });

  test('in words has a kind, text of either form of a line, and a condition', () => {
    const isMeant = (words: string, stamped: Stamped): boolean => matcher(filterOf(words))(stamped);
    const write = exit({ exit_reason: 32, a0: 0xc0000080n, a1: 0x500n });
    expect(isMeant('kvm_exit MSR_WRITE msr EFER', write)).toBe(true);
    expect(isMeant('kvm_exit reason MSR_WRITE rip 0x1000 info1 0x0000000000000000', write)).toBe(true);
    expect(isMeant('kvm_exit MSR_WRITE if a0 == 0xc0000080', write)).toBe(true);
    expect(isMeant('kvm_exit MSR_WRITE if a0 == 1', write)).toBe(false);
    expect(isMeant('if exit_reason == MSR_WRITE', write)).toBe(true);
    expect(() => filterOf('nothing')).toThrow('No kind of event is named nothing');
  });

  test('refuses unknown names before the trace is opened', async () => {
    const asked = async (filter: object, form: object = {}) =>
      printEvents('/no/such.trace', filter, { limit: 1, ...form }, () => undefined);
    await expect(asked({ kinds: ['kvm_exti'] })).rejects.toMatchObject({ name: 'UsageProblem' });
    await expect(asked({ condition: 'prot == 1' })).rejects.toMatchObject({ name: 'UsageProblem' });
    await expect(asked({}, { columns: ['prot'] })).rejects.toMatchObject({ name: 'UsageProblem' });
  });
});

import { describe, expect, test } from 'vitest';
import { bench, LEAST } from './bench.ts';
import { fakeMultiboot } from './loaders/kernels.ts';

describe('a pc machine', () => {
  test('a byte sent to COM1 leaves the machine', () => {
    const { out, events } = bench();
    out(0x3f8, 1, 0x41);
    expect(events).toContainEqual({ kind: 'sim:serial_sent', line: 0, byte: 0x41 });
  });

  test('isa-debug-exit ends the run with status v * 2 + 1', () => {
    const machine = bench({ devices: [{ driver: 'isa-debug-exit', properties: { iobase: 0xf4, iosize: 4 } }] });
    const before = machine.ioctls.length;
    machine.out(0xf4, 4, 0x21);
    expect(machine.events).toContainEqual({ kind: 'sim:exit_requested', status: 0x43 });
    expect(machine.state.schedule.ended).toEqual({ why: 'exit', status: 0x43 });
    expect(machine.ioctls.slice(before)).toEqual([]);
  });

  test('nobody at a port reads all ones', () => {
    expect(bench().in(0x1234, 4)).toBe(0xffffffff);
    expect(bench().in(0x1234, 1)).toBe(0xff);
  });

  test('the slots follow the PAM registers as QEMU sets them', () => {
    const machine = bench();
    const slots = () =>
      [...machine.state.vmm.slots]
        .sort((a, b) => a.gpa - b.gpa)
        .map((slot) => `${slot.slot}:${slot.gpa.toString(16)}+${slot.size.toString(16)}${slot.flags ? ' ro' : ''}`);
    expect(slots()).toEqual([
      '0:0+c0000',
      '2:c0000+20000 ro',
      '3:e0000+20000 ro',
      '4:100000+3f00000',
      '1:fffc0000+40000 ro',
    ]);
    machine.out(0xcf8, 4, 0x80000058);
    machine.out(0xcfd, 1, 0x30);
    expect(slots()).toContain('0:0+c0000');
    expect(slots().some((slot) => slot.endsWith(':f0000+3f10000'))).toBe(true);
    // Write protection of RAM makes a range of its own, but not a read-only slot.
    machine.out(0xcfd, 1, 0x10);
    expect(slots().some((slot) => slot.endsWith(':f0000+10000'))).toBe(true);
  });

  test('configuration space answers for functions that are there and all ones for others', () => {
    const machine = bench();
    machine.out(0xcf8, 4, 0x80000000);
    expect(machine.in(0xcfc, 4)).toBe(0x12378086);
    machine.out(0xcf8, 4, 0x80000000 | (1 << 11));
    expect(machine.in(0xcfc, 2)).toBe(0x8086);
    machine.out(0xcf8, 4, 0x80000000 + (9 << 11));
    expect(machine.in(0xcfc, 4)).toBe(0xffffffff);
  });

  test('a triple fault resets the machine', () => {
    const machine = bench();
    machine.out(0x70, 1, 0x8f);
    machine.exit({ exitReason: 8 });
    expect(machine.events).toContainEqual({ kind: 'sim:reset', by: 'triple fault' });
    expect(machine.regs?.rip).toBe(0xfff0n);
    expect(machine.state.schedule.ended).toBeUndefined();
  });

  test('a triple fault fails the run where a reset ends it', () => {
    const machine = bench({ noReboot: true });
    machine.exit({ exitReason: 8 });
    expect(machine.events.at(-1)).toEqual({ kind: 'sim:guest_panicked', by: 'triple fault' });
    expect(machine.state.schedule.ended).toEqual({ why: 'panicked', status: 4 });
    expect(machine.events.some((event) => event.kind === 'sim:reset')).toBe(false);
  });
});

test('without firmware port 0x92 is INIT, and the code at the reset vector starts the kernel', () => {
  const machine = bench({ bios: undefined as never, kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  const byte = (gpa: number) => machine.read(gpa, 1)[0];
  expect(machine.regs?.rip).toBe(0x400010n);
  machine.out(0x21, 1, 0x5a);
  machine.out(0x92, 1, 3);
  expect(machine.regs?.rip).toBe(0xfff0n);
  expect(machine.in(0x92, 1) & 1).toBe(1);
  expect([byte(0xfffffff0), byte(0xffff0)]).toEqual([0xea, 0xea]);
  machine.out(0x4f4, 1, 0);
  expect(machine.regs?.rip).toBe(0x400010n);
  expect(machine.in(0x92, 1) & 1).toBe(1);
  machine.out(0xcf9, 1, 2);
  machine.out(0xcf9, 1, 6);
  expect(machine.in(0x92, 1) & 1).toBe(0);
});

test('with firmware port 0x92 resets the system, as QEMU does', () => {
  const machine = bench();
  machine.out(0x92, 1, 3);
  expect(machine.events.filter((event) => event.kind === 'sim:reset')).toEqual([{ kind: 'sim:reset', by: 'port92' }]);
  expect(machine.in(0x92, 1) & 1).toBe(0);
});

test('a kernel that starts without firmware finds the board as SeaBIOS leaves it', () => {
  const { bios: _, ...rest } = LEAST;
  const machine = bench({ ...rest, bios: undefined as never, kernel: { name: 'x.flat', bytes: fakeMultiboot() } });
  const config = (devfn: number, register: number) => {
    machine.out(0xcf8, 4, 0x80000000 + devfn * 0x100 + register);
    return machine.in(0xcfc, 4);
  };
  expect(config(0x09, 0x20)).toBe(0xc001);
  expect(config(0x0b, 0x40)).toBe(0x601);
  expect([config(0x0b, 0x90), config(0x0b, 0xd0) >>> 16]).toEqual([0x701, 9]);
  expect(config(0x08, 0x60)).toBe(0x0b0b0a0a);
  expect(machine.in(0x608, 4)).toBe(0);
  expect(String.fromCharCode(...machine.read(0xf59d0, 8))).toBe('RSD PTR ');
  expect(String.fromCharCode(...machine.read(0xf59f0, 4))).toBe('_SM_');
});

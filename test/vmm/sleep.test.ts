import { describe, expect, test } from 'vitest';
import { type Bench, bench } from './bench.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { fakeMultiboot } from './loaders/kernels.ts';

const PM1_STATUS = 0x600;
const PM1_ENABLE = 0x602;
const PM1_CONTROL = 0x604;
const RTC_ENABLE = 0x400;
const SLEEP = 0x2400;
const kernel = { name: 'x.flat', bytes: fakeMultiboot() };
const LOW_MEMORY = 64 << 20;
const WAKING_VECTOR = LOW_MEMORY - 0x20000 + 12;

const direct = (): Bench => bench({ bios: undefined as never, kernel });

function kinds({ events }: Bench): MachineEvent['kind'][] {
  return events.map(({ kind }) => kind);
}

function goToSleep(machine: Bench, vector: number): void {
  machine.store(WAKING_VECTOR, new Uint8Array(Uint32Array.of(vector).buffer));
  machine.out(PM1_ENABLE, 2, RTC_ENABLE);
  machine.out(PM1_CONTROL, 2, SLEEP);
}

describe('a machine that sleeps (S3)', () => {
  test('leaves its vCPUs in user space, and the way back in the shutdown status', () => {
    const machine = direct();
    goToSleep(machine, 0x12345);
    expect(machine.state.vmm.sleep).toEqual({ isAsleep: true, wokenBy: undefined });
    expect(machine.state.vmm.devices.rtc.cmos[0x0f]).toBe(0xfe);
    expect(kinds(machine).at(-1)).not.toBe('ioctl:KVM_RUN');
  });

  test('wakes where the guest said, with its memory and the reason', () => {
    const machine = direct();
    machine.store(0x5000, Uint8Array.of(1, 2, 3));
    machine.out(0x21, 1, 0x5a);
    goToSleep(machine, 0x12345);
    machine.wake();
    expect(machine.events).toContainEqual({ kind: 'sim:woken', by: 'other' });
    expect(machine.state.vmm.sleep).toBeUndefined();
    expect([machine.sregs?.cs.selector, machine.sregs?.cs.base, machine.regs?.rip]).toEqual([0x1234, 0x12340n, 5n]);
    expect([...machine.read(0x5000, 3)]).toEqual([1, 2, 3]);
    expect(machine.in(PM1_STATUS, 2) & 0xff00).toBe(0x8100);
    machine.out(0x70, 1, 0x0f);
    expect(machine.in(0x71, 1)).toBe(0);
  });

  test('starts the kernel anew where the guest has said nothing, and firmware where there is one', () => {
    const silent = direct();
    goToSleep(silent, 0);
    silent.wake();
    expect(silent.regs?.rip).toBe(0x400010n);
    const firmware = bench();
    firmware.out(0xcf8, 4, 0x80000b40);
    firmware.out(0xcfc, 4, 0x601);
    firmware.out(0xcf8, 4, 0x80000b80);
    firmware.out(0xcfc, 1, 1);
    firmware.out(PM1_CONTROL, 2, SLEEP);
    firmware.wake();
    expect(firmware.regs?.rip).toBe(0xfff0n);
    expect(firmware.state.vmm.devices.rtc.cmos[0x0f]).toBe(0xfe);
  });

  test('does not wake while it is awake, and is woken by a reset', () => {
    const machine = direct();
    machine.wake();
    expect(kinds(machine)).not.toContain('sim:woken');
    goToSleep(machine, 0x12345);
    machine.reset();
    expect(machine.state.vmm.sleep).toBeUndefined();
    expect(machine.regs?.rip).toBe(0x400010n);
  });
});

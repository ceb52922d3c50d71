import { describe, expect, test } from 'vitest';
import { type Bench, bench } from '../bench.ts';

const STATUS = 18;
const QUEUE_NOTIFY = 16;
const DRIVER_OK = 4;
const PORTS = 0xc000;
const PAGE = 4096;
/** All there are. */
const PROPERTIES = { 'disable-legacy': false, 'disable-modern': true, ioeventfd: true, vectors: 2, rng: '' };

const twoDevices = (): Bench =>
  bench({ devices: [2, 3].map(() => ({ driver: 'virtio-rng-pci', properties: PROPERTIES })) });

function configure({ out }: Bench, slot: number, register: number, value: number): void {
  out(0xcf8, 4, 0x8000_0000 + slot * 0x800 + register);
  out(0xcfc, 4, value);
}

describe('a function that moves', () => {
  test('over memory leaves whole pages of it to KVM; what it leaves of a page is memory', () => {
    const machine = twoDevices();
    // Where a PCI device lies above memory.
    const table = 0xa_0000;
    machine.store(table + 0x100, Uint8Array.of(1, 2, 3, 4));
    configure(machine, 2, 0x14, table);
    configure(machine, 2, 0x04, 7);
    const slots = machine.state.vmm.slots.map(({ gpa, size }) => [gpa % PAGE, size % PAGE]);
    expect(slots).toEqual(slots.map(() => [0, 0]));
    expect(machine.state.vmm.slots.some(({ gpa, size }) => gpa <= table && table < gpa + size)).toBe(false);
    expect([...machine.read(table + 0x100, 4)]).toEqual([1, 2, 3, 4]);
    machine.store(table + 0x200, Uint8Array.of(5));
    configure(machine, 2, 0x14, 0xfe00_0000);
    expect([...machine.read(table + 0x200, 1)]).toEqual([5]);
    expect(machine.state.vmm.slots.some(({ gpa, size }) => gpa <= table && table < gpa + size)).toBe(true);
  });

  test('to where another is is signalled there no more than the other, and again when that one leaves', () => {
    const machine = twoDevices();
    const bound = (): string[] =>
      Object.values(machine.state.vmm.eventfds).flatMap(({ dev, places }) =>
        places.map(({ addr }) => `${dev} ${addr.toString(16)}`),
      );
    const at = (port: number): string => (port + QUEUE_NOTIFY).toString(16);
    for (const slot of [2, 3]) {
      configure(machine, slot, 0x10, PORTS + 0x100 * slot);
      configure(machine, slot, 0x04, 7);
      machine.out(PORTS + 0x100 * slot + STATUS, 1, DRIVER_OK);
    }
    const apart = bound();
    expect(apart).toHaveLength(2);
    configure(machine, 3, 0x10, PORTS + 0x200);
    expect(bound()).toEqual([expect.stringContaining(at(PORTS + 0x200))]);
    const [answering] = bound();
    const other = answering!.includes('#1') ? 3 : 2;
    configure(machine, other === 3 ? 2 : 3, 0x10, PORTS + 0x800);
    expect(bound().sort()).toEqual(
      expect.arrayContaining([expect.stringContaining(at(PORTS + 0x200)), expect.stringContaining(at(PORTS + 0x800))]),
    );
  });
});

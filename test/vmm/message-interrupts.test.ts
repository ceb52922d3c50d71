import { describe, expect, test, vi } from 'vitest';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { KVM_IRQFD, KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI } from '../../src/kvm/ioctl/ioctls.ts';
import { ROM } from '../devices/pci/raiser.ts';
import { type Bench, bench } from './bench.ts';

vi.mock('../../src/devices/catalog.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../devices/pci/raiser.ts')).raisers,
}));

const BAR0 = 0xe100_0000;
const TABLE = 0xe200_0000;
const PBA = TABLE + 0x800;
const MSIX = 0x40;
const ON = 0x8000;
const MASKED = 0x4000;

/** A raiser at 00:02.0 whose registers a guest has placed. */
function placed(driver: string): { machine: Bench; config: Config } {
  const machine = bench({ devices: [{ driver, properties: {} }] });
  const config = configOf(machine);
  config.write(0x10, 4, BAR0);
  config.write(0x14, 4, TABLE);
  config.write(0x04, 2, 6);
  return { machine, config };
}

interface Config {
  read(register: number, size: number): number;
  write(register: number, size: number, value: number): void;
}

const configOf = ({ in: read, out }: Bench): Config => ({
  read(register, size) {
    out(0xcf8, 4, 0x8000_1000 + (register & 0xfc));
    return read(0xcfc + (register & 3), size);
  },
  write(register, size, value) {
    out(0xcf8, 4, 0x8000_1000 + (register & 0xfc));
    out(0xcfc + (register & 3), size, value);
  },
});

const bytesOf = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const write = ({ store }: Bench, gpa: number, value: number): void => store(gpa, bytesOf(value));
const read = (machine: Bench, gpa: number): number => new DataView(machine.read(gpa, 4).buffer).getUint32(0, true);

function setVector(machine: Bench, vector: number, address: number, data: number, control = 0): void {
  [address, 0, data, control].forEach((word, at) => write(machine, TABLE + 16 * vector + 4 * at, word));
}

const signalled = ({ ioctls }: Bench) =>
  ioctls.flatMap(({ request, arg }) => (request === KVM_SIGNAL_MSI ? [arg] : []));
const kinds = (events: readonly MachineEvent[], ...wanted: string[]) =>
  events.filter(({ kind }) => wanted.includes(kind));

describe('MSI-X', () => {
  test('a vector that is on is a KVM_SIGNAL_MSI of what the table says', () => {
    const { machine, config } = placed('raiser');
    setVector(machine, 1, 0xfee0_1000, 0x51);
    config.write(MSIX + 2, 2, ON);
    write(machine, BAR0, 1);
    expect(signalled(machine)).toEqual([{ addressLow: 0x1000, addressHigh: 0, data: 0x51 }]);
  });

  test('with messages off the pin rises, is told by the status and falls when messages are turned on', () => {
    const { machine, config } = placed('raiser');
    write(machine, BAR0, 0);
    expect([config.read(6, 2) & 8, machine.state.vmm.devices.piix3.asserted]).toEqual([8, [0, 4, 0, 0]]);
    config.write(4, 2, 0x406);
    expect([config.read(6, 2) & 8, machine.state.vmm.devices.piix3.asserted]).toEqual([8, [0, 0, 0, 0]]);
    config.write(4, 2, 6);
    expect(machine.state.vmm.devices.piix3.asserted).toEqual([0, 4, 0, 0]);
    config.write(MSIX + 2, 2, ON);
    expect([config.read(6, 2) & 8, machine.state.vmm.devices.piix3.asserted]).toEqual([0, [0, 0, 0, 0]]);
    expect(signalled(machine)).toEqual([]);
  });

  test('a masked vector waits in the pending bits and goes out once when its mask is taken away', () => {
    const { machine, config } = placed('raiser');
    setVector(machine, 0, 0xfee0_0000, 0x50, 1);
    config.write(MSIX + 2, 2, ON);
    write(machine, BAR0, 0);
    write(machine, BAR0, 0);
    expect([read(machine, PBA), signalled(machine).length]).toEqual([1, 0]);
    write(machine, TABLE + 12, 0);
    expect([read(machine, PBA), signalled(machine).length]).toEqual([0, 1]);
    write(machine, TABLE + 12, 1);
    write(machine, TABLE + 12, 0);
    expect(signalled(machine).length).toBe(1);
  });

  test("the function's mask holds all of them back", () => {
    const { machine, config } = placed('raiser');
    for (const vector of [0, 1]) setVector(machine, vector, 0xfee0_0000, 0x50 + vector);
    config.write(MSIX + 2, 2, ON | MASKED);
    for (const vector of [1, 0]) write(machine, BAR0, vector);
    expect(read(machine, PBA)).toBe(3);
    config.write(MSIX + 2, 2, ON);
    expect([read(machine, PBA), signalled(machine).map((arg) => (arg as { data: number }).data)]).toEqual([
      0,
      [0x50, 0x51],
    ]);
  });

  test('a message elsewhere is a write to memory, and nothing without bus mastering', () => {
    const { machine, config } = placed('raiser');
    setVector(machine, 0, 0x1_0000, 0x1234_5678);
    config.write(MSIX + 2, 2, ON);
    write(machine, BAR0, 0);
    expect(read(machine, 0x1_0000)).toBe(0x1234_5678);
    setVector(machine, 0, 0x1_0008, 0x1111);
    config.write(4, 2, 2);
    write(machine, BAR0, 0);
    expect(read(machine, 0x1_0008)).toBe(0);
  });

  test('a reset masks and empties the table', () => {
    const { machine, config } = placed('raiser');
    setVector(machine, 0, 0xfee0_0000, 0x50, 1);
    config.write(MSIX + 2, 2, ON | MASKED);
    write(machine, BAR0, 0);
    machine.out(0xcf9, 1, 6);
    expect(config.read(MSIX, 4)).toBe(0x0001_0011);
    config.write(0x14, 4, TABLE);
    config.write(4, 2, 6);
    expect([0, 4, 8, 12].map((at) => read(machine, TABLE + at))).toEqual([0, 0, 0, 1]);
    expect(read(machine, PBA)).toBe(0);
  });
});

describe('MSI-X by irqfd', () => {
  const routes = ({ ioctls }: Bench) =>
    ioctls.flatMap(({ request, arg }) =>
      request === KVM_SET_GSI_ROUTING
        ? [(arg as { entries: { type: string }[] }).entries.filter(({ type }) => type === 'msi')]
        : [],
    );
  const irqfds = ({ ioctls }: Bench) => ioctls.flatMap(({ request, arg }) => (request === KVM_IRQFD ? [arg] : []));

  test('a vector in use has a route and an irqfd; masked only the route; off neither', () => {
    const { machine, config } = placed('raiser-irqfd');
    setVector(machine, 0, 0xfee0_0000, 0x50);
    config.write(MSIX + 2, 2, ON);
    const msi = { type: 'msi', addressLow: 0xfee0_0000, addressHigh: 0 };
    expect(routes(machine).at(-1)).toEqual([{ gsi: 2, ...msi, data: 0x50 }]);
    const { fd } = machine.state.vmm.msiRoutes['raiser-irqfd#0.0']!;
    expect(irqfds(machine)).toEqual([{ fd, gsi: 2, flags: 0 }]);
    write(machine, TABLE + 12, 1);
    expect(irqfds(machine).at(-1)).toEqual({ fd, gsi: 2, flags: 1 });
    write(machine, TABLE + 8, 0x60);
    write(machine, TABLE + 12, 0);
    expect(routes(machine).at(-1)).toEqual([{ gsi: 2, ...msi, data: 0x60 }]);
    expect(irqfds(machine).at(-1)).toEqual({ fd, gsi: 2, flags: 0 });
    setVector(machine, 1, 0xfee0_0000, 0x51);
    expect(routes(machine).at(-1)?.length).toBe(2);
    config.write(MSIX + 2, 2, 0);
    expect(machine.state.vmm.msiRoutes).toMatchObject({
      'raiser-irqfd#0.0': { gsi: undefined, bound: false },
      'raiser-irqfd#0.1': { gsi: undefined, bound: false },
    });
    config.write(MSIX + 2, 2, ON);
    expect(irqfds(machine).at(-2)).toEqual({ fd, gsi: 2, flags: 0 });
    machine.out(0xcf9, 1, 6);
    expect(irqfds(machine).slice(-2)).toMatchObject([{ fd, flags: 1 }, { flags: 1 }]);
    const told = kinds(machine.events, 'kvm_irqchip_add_msi_route', 'kvm_irqchip_update_msi_route');
    expect(told.slice(0, 3)).toEqual([
      { kind: 'kvm_irqchip_add_msi_route', name: 'raiser-irqfd', vector: 0, virq: 2 },
      { kind: 'kvm_irqchip_update_msi_route', virq: 2 },
      { kind: 'kvm_irqchip_add_msi_route', name: 'raiser-irqfd', vector: 1, virq: 24 },
    ]);
    expect(kinds(machine.events, 'kvm_irqchip_release_virq').length).toBe(4);
  });

  test('a vector that is raised signals its eventfd; one that waited is a KVM_SIGNAL_MSI', () => {
    const { machine, config } = placed('raiser-irqfd');
    setVector(machine, 0, 0xfee0_0000, 0x50, 1);
    config.write(MSIX + 2, 2, ON);
    write(machine, BAR0, 0);
    write(machine, TABLE + 12, 0);
    expect(signalled(machine).length).toBe(1);
    write(machine, BAR0, 0);
    expect(signalled(machine).length).toBe(1);
  });
});

describe('base address registers', () => {
  test('of 64 bits are nowhere while they are sized', () => {
    const { machine, config } = placed('raiser');
    config.write(0x18, 4, 0xffff_ffff);
    config.write(0x1c, 4, 0xffff_ffff);
    expect([config.read(0x18, 4), config.read(0x1c, 4)]).toEqual([0xffff_f00c, 0xffff_ffff]);
    const mapped = (): unknown[] => kinds(machine.events, 'pci_update_mappings_add').slice(2);
    // Between the two writes it lies at the end of the first 4 GiB, as in QEMU.
    expect(mapped()).toMatchObject([{ bar: 2, addr: 0xffff_f000 }]);
    expect(kinds(machine.events, 'pci_update_mappings_del')).toMatchObject([{ bar: 2, addr: 0xffff_f000 }]);
    config.write(0x18, 4, 0);
    config.write(0x1c, 4, 1);
    expect(mapped().at(-1)).toMatchObject({ bar: 2, addr: 2 ** 32 });
  });

  test('of the expansion ROM show its content as read-only memory while bit 0 is set', () => {
    const { machine, config } = placed('raiser');
    config.write(0x30, 4, 0xffff_ffff);
    expect(config.read(0x30, 4)).toBe(0xffff_f001);
    config.write(0x30, 4, 0xe300_0000);
    expect(machine.state.vmm.slots.some(({ gpa }) => gpa === 0xe300_0000)).toBe(false);
    config.write(0x30, 4, 0xe300_0001);
    expect(machine.state.vmm.slots).toContainEqual(expect.objectContaining({ gpa: 0xe300_0000, size: 4096, flags: 2 }));
    expect([...machine.read(0xe300_0000 + 2996, 8)]).toEqual([...ROM.slice(2996), 0, 0, 0, 0]);
    write(machine, 0xe300_0000, 0x5a5a_5a5a);
    expect(machine.read(0xe300_0000, 1)[0]).toBe(ROM[0]);
    config.write(4, 2, 0);
    expect(machine.state.vmm.slots.some(({ gpa }) => gpa === 0xe300_0000)).toBe(false);
  });
});

import { expect, test } from 'vitest';
import { bench } from '../../vmm/bench.ts';
import { fakeBzImage } from '../../vmm/loaders/kernels.ts';

const RAM = 64 * 2 ** 20;
const select = (machine: ReturnType<typeof bench>, key: number) => machine.out(0x510, 2, key);
const bytes = (machine: ReturnType<typeof bench>, count: number) =>
  Array.from({ length: count }, () => machine.in(0x511, 1));

test('the signature, the processor count and an item that is not there', () => {
  const machine = bench({ smp: 2 });
  select(machine, 0);
  expect(String.fromCharCode(...bytes(machine, 4))).toBe('QEMU');
  select(machine, 5);
  expect(bytes(machine, 2)).toEqual([2, 0]);
  select(machine, 0x11);
  expect(bytes(machine, 2)).toEqual([0, 0]);
});

test('the directory lists the files QEMU offers, in order', () => {
  const machine = bench();
  select(machine, 0x19);
  const [, , , count] = bytes(machine, 4);
  const names = Array.from({ length: count! }, () => {
    const entry = bytes(machine, 64).slice(8);
    return String.fromCharCode(...entry.slice(0, entry.indexOf(0)));
  });
  expect(names).toEqual([
    'bios-geometry',
    'bootorder',
    'etc/acpi/rsdp',
    'etc/acpi/tables',
    'etc/boot-fail-wait',
    'etc/e820',
    'etc/smbios/smbios-anchor',
    'etc/smbios/smbios-tables',
    'etc/system-states',
    'etc/table-loader',
    'etc/tpm/log',
  ]);
});

test('DMA copies an item to memory, pads it with zeros and clears the control word', () => {
  const machine = bench();
  const descriptor = new Uint8Array(16);
  const view = new DataView(descriptor.buffer);
  view.setUint32(0, (0 << 16) | 0x0a);
  view.setUint32(4, 6);
  view.setBigUint64(8, 0x3000n);
  machine.store(0x3000, new Uint8Array(8).fill(0xee));
  machine.store(0x2000, descriptor);
  machine.out(0x514, 4, 0);
  machine.out(0x518, 4, 0x00200000);
  expect([...machine.read(0x3000, 8)]).toEqual([0x51, 0x45, 0x4d, 0x55, 0, 0, 0xee, 0xee]);
  expect([...machine.read(0x2000, 4)]).toEqual([0, 0, 0, 0]);
  expect(machine.in(0x514, 4)).toBe(0x554d4551);
});

/** What a transfer of the first item leaves in its control word. */
function transferred(machine: ReturnType<typeof bench>, at: bigint, length: number, address: bigint): number[] {
  const descriptor = new Uint8Array(16);
  const view = new DataView(descriptor.buffer);
  view.setUint32(0, (0 << 16) | 0x0a);
  view.setUint32(4, length);
  view.setBigUint64(8, address);
  if (at < 2n ** 32n) machine.store(Number(at), descriptor);
  const register = new DataView(new ArrayBuffer(8));
  register.setBigUint64(0, at);
  machine.out(0x514, 4, register.getUint32(0, true));
  machine.out(0x518, 4, register.getUint32(4, true));
  return [...machine.read(0x2000, 4)];
}

test('DMA that leaves memory fails there, whatever its length and addresses', () => {
  const machine = bench();
  const end = BigInt(RAM);
  machine.store(RAM - 16, new Uint8Array(16).fill(0xee));
  expect(transferred(machine, 0x2000n, 0xffffffff, end - 8n)).toEqual([0, 0, 0, 1]);
  const signature = [0x51, 0x45, 0x4d, 0x55, 0, 0, 0, 0];
  expect([...machine.read(RAM - 16, 16)]).toEqual([...new Array(8).fill(0xee), ...signature]);
  expect(transferred(machine, 0x2000n, 16, 0xe000_0000_0000_0000n)).toEqual([0, 0, 0, 1]);
  expect(transferred(machine, 0x2000n, 0xffffffff, 2n ** 64n - 1n)).toEqual([0, 0, 0, 1]);
  const dma = machine.events.filter(({ kind }) => kind === 'sim:dma').length;
  expect(transferred(machine, 2n ** 64n - 16n, 16, 0x3000n)).toEqual([0, 0, 0, 1]);
  expect(transferred(machine, 0xf000_0000n, 16, 0x3000n)).toEqual([0, 0, 0, 1]);
  expect(machine.events.filter(({ kind }) => kind === 'sim:dma').length).toBe(dma);
});

test('a kernel under firmware comes with its parts, its option ROM and a boot order', () => {
  const kernel = { name: 'vmlinuz', bytes: fakeBzImage() };
  const machine = bench({ kernel, append: 'quiet' });
  select(machine, 0x15);
  expect(String.fromCharCode(...bytes(machine, 6))).toBe('quiet\0');
  select(machine, 0x21);
  const order = bytes(machine, 40);
  expect(String.fromCharCode(...order.slice(0, order.indexOf(0)))).toBe('/rom@genroms/linuxboot_dma.bin');
});

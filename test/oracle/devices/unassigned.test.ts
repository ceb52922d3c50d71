import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bench } from '../../vmm/bench.ts';

const LINES = readFileSync(new URL('recorded/unassigned.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');

const numberOf = (bytes: Uint8Array): number => bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);

test('what nobody answers reads as in QEMU 7.2, through KVM_EXIT_IO and KVM_EXIT_MMIO', () => {
  const machine = bench();
  const read: Record<string, number> = { in: 0, read: 0 };
  for (const [index, line] of LINES.entries()) {
    const [op = '', ...numbers] = line.split(' ');
    const [address, size, value] = numbers.map((each) => Number.parseInt(each, 16)) as [number, number, number];
    if (op === 'write') {
      machine.store(address, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
      continue;
    }
    read[op] = (read[op] ?? 0) + 1;
    const ours = op === 'in' ? machine.in(address, size) : numberOf(machine.read(address, size));
    expect([index, line, ours]).toEqual([index, line, value]);
  }
  expect(read['in']).toBeGreaterThan(50);
  expect(read['read']).toBeGreaterThan(50);
});

test('messages to the local APIC are written alone, the I/O APIC has no more than KVM serves', () => {
  // hw/i386/kvm/apic.c, kvm_apic_mem_read; hw/i386/kvm/ioapic.c gives its region no operations.
  const machine = bench();
  expect([...machine.read(0xfee0_1000, 4)]).toEqual([0xff, 0xff, 0xff, 0xff]);
  expect([...machine.read(0xfec0_0100, 4)]).toEqual([0, 0, 0, 0]);
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bench } from './bench.ts';

/** CMOS registers that show the time of day. */
const CLOCK = new Set([0x00, 0x02, 0x04]);

/**
 * Every access SeaBIOS 1.16.2 made on real KVM under QEMU 7.2 (-m 64 -nodefaults, no serial line), without the ports
 * the kernel serves itself: "r|w port size value".
 */
const recorded = readFileSync(new URL('./golden/seabios-pio.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(' '));

/** The memory slots of such a run up to the first PCI ROM: text of QEMU's kvm_set_user_memory. */
const slots = readFileSync(new URL('./golden/seabios-slots.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

test('every port SeaBIOS reads answers as under QEMU 7.2', () => {
  const machine = bench({ serialLines: 0, devices: [{ driver: 'isa-debugcon', properties: { iobase: 0x402 } }] });
  const differences: string[] = [];
  let cmosIndex = 0;
  recorded.forEach(([direction, portText, sizeText, valueText], index) => {
    const port = Number.parseInt(portText!, 16);
    const size = Number(sizeText);
    const value = Number.parseInt(valueText!, 16);
    if (direction === 'w') {
      // The descriptors of fw_cfg's DMA lie in guest memory, which this run does not have.
      if (port !== 0x518) machine.out(port, size, value);
      if (port === 0x70) cmosIndex = value & 0x7f;
      return;
    }
    const answer = machine.in(port, size);
    if (answer !== value && !(port === 0x71 && CLOCK.has(cmosIndex))) {
      differences.push(`line ${index + 1}: ${portText}/${size} reads ${answer.toString(16)}, recorded ${valueText}`);
    }
  });
  expect(differences).toEqual([]);
});

test('memory slots come and go as under QEMU 7.2 while SeaBIOS moves the PAM registers', () => {
  const machine = bench({ serialLines: 0 });
  for (const [direction, portText, sizeText, valueText] of recorded) {
    const port = Number.parseInt(portText!, 16);
    if (direction === 'w' && (port & ~7) === 0xcf8)
      machine.out(port, Number(sizeText), Number.parseInt(valueText!, 16));
  }
  const hex = (value: number) => `0x${value.toString(16)}`;
  const raised = machine.events.flatMap((event) =>
    event.kind === 'kvm_set_user_memory'
      ? [
          `Slot#${event.slot} flags=${hex(event.flags)} gpa=${hex(event.guest_phys_addr)} size=${hex(event.memory_size)}`,
        ]
      : [],
  );
  expect(raised.slice(0, slots.length)).toEqual(slots);
});

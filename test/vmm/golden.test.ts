import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  IOCTLS,
  KVM_CHECK_EXTENSION,
  KVM_ENABLE_CAP,
  KVM_GET_DEVICE_ATTR,
  KVM_GET_MSRS,
  KVM_GET_TSC_KHZ,
  KVM_GET_VCPU_EVENTS,
  KVM_IOEVENTFD,
  KVM_IRQ_LINE_STATUS,
  KVM_KVMCLOCK_CTRL,
  KVM_REGISTER_COALESCED_MMIO,
  KVM_RUN,
  KVM_SET_CLOCK,
  KVM_SET_MSRS,
  KVM_SET_SREGS2,
  KVM_SET_TSC_KHZ,
  KVM_SET_VAPIC_ADDR,
  KVM_TPR_ACCESS_REPORTING,
  KVM_UNREGISTER_COALESCED_MMIO,
} from '../../src/kvm/ioctl/ioctls.ts';
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
      ? [[`Slot#${event.slot}`, hex(event.flags), hex(event.guest_phys_addr), hex(event.memory_size)]]
      : [],
  );
  const wanted = slots.map((line) => line.split(' ').map((field) => field.replace(/^.*=/, '')));
  expect(raised.slice(0, slots.length)).toEqual(wanted);
});

/** Requests this machine leaves out, each with the reason. */
const LEFT_OUT: Readonly<Record<number, string>> = {
  [KVM_CHECK_EXTENSION]: 'which capabilities are asked for is not compared',
  [KVM_ENABLE_CAP]: 'which capabilities are enabled is not compared',
  [KVM_IRQ_LINE_STATUS]: 'lines QEMU drives low while it resets devices that are new',
  [KVM_IOEVENTFD]: 'a probe for kernels of before 2010',
  [KVM_REGISTER_COALESCED_MMIO]: 'QEMU registers its zones again at each change of the memory map',
  [KVM_UNREGISTER_COALESCED_MMIO]: 'the same',
  [KVM_GET_DEVICE_ATTR]: 'asks for AMX permissions',
  [KVM_SET_TSC_KHZ]: 'the TSC has one frequency',
  [KVM_GET_TSC_KHZ]: 'the TSC has one frequency',
  [KVM_TPR_ACCESS_REPORTING]: 'no kvmvapic',
  [KVM_SET_VAPIC_ADDR]: 'no kvmvapic',
  [KVM_GET_MSRS]: 'reads back what was just written',
  [KVM_SET_CLOCK]: 'virtual time starts at zero',
  [KVM_KVMCLOCK_CTRL]: 'virtual time starts at zero',
};

/** Set-up as QEMU does it once; it puts the vCPU's state twice and reads it back between, we put it once. */
test('the machine is made by the ioctls of QEMU 7.2 in their order', () => {
  const golden = readFileSync(new URL('./golden/qemu-ioctls.txt', import.meta.url), 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number);
  const compared = (types: readonly number[]) =>
    types.filter((type) => LEFT_OUT[type] === undefined && type !== KVM_RUN);
  const firstState = golden.indexOf(KVM_SET_SREGS2);
  const wanted = compared(golden.slice(0, firstState));
  const ours = bench({ serialLines: 0 }).ioctls.map(({ request }) => request);
  const made = compared(ours.slice(0, ours.indexOf(KVM_SET_SREGS2)));
  expect(withoutRepeats(made).map(nameOf)).toEqual(withoutRepeats(wanted).map(nameOf));
  const put = golden.slice(firstState, golden.indexOf(KVM_GET_VCPU_EVENTS, firstState));
  expect(compared(ours.slice(ours.indexOf(KVM_SET_SREGS2))).map(nameOf)).toEqual([
    ...withoutSecondMsrs(compared(put)).map(nameOf),
    'KVM_SET_LAPIC',
  ]);
});

const nameOf = (type: number) => IOCTLS[type]?.name ?? type.toString(16);

/** QEMU repeats a request until its buffer is large enough. */
const withoutRepeats = (types: readonly number[]) => types.filter((type, index) => type !== types[index - 1]);

/** QEMU sets the TSC deadline on its own, after the processor may run. */
const withoutSecondMsrs = (types: readonly number[]) =>
  types.filter((type, index) => type !== KVM_SET_MSRS || types.indexOf(KVM_SET_MSRS) === index);

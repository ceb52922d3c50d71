import { bindEventfds } from '../accel/eventfds.ts';
import { DeviceCall } from '../board/device-call.ts';
import type { Machine } from '../board/machine.ts';
import { resetIfAsked } from '../board/reset.ts';

/**
 * A thread found a device's eventfd signalled: it reads it and calls the device. QEMU's event_notifier_test_and_clear
 * in a handler of aio_dispatch. Returns how many elements the device dealt with.
 */
export function handleEventfd(machine: Machine, fd: number): number {
  const { dev, id } = machine.state.eventfds[fd]!;
  machine.kvm.consume(fd);
  const part = machine.parts.find(({ name }) => name === dev)!;
  const call = new DeviceCall(machine, part, { kind: 'sim:device_notified', dev, id });
  const elements = part.device.notified?.(machine.stateOf(part), id, call) ?? 0;
  call.finish(part.device.notified === undefined);
  if (!resetIfAsked(machine)) bindEventfds(machine, part);
  return elements;
}

import { expect, test } from 'vitest';
import * as DEVICES from '../../../src/devices/catalog.ts';
import type { AnyDriver } from '../../../src/devices/driver.ts';
import { setupOf } from '../../../src/vmm/pc/setup.ts';
import { arp, echo } from '../../oracle/slirp/frames.ts';
import { E1000, VIRTIO, Wire } from '../wire.ts';

test.each([
  ['e1000', E1000, 60],
  ['virtio-net', VIRTIO, 46],
] as const)('a short answer goes to %s as long as QEMU makes it', (_, peer, length) => {
  const wire = new Wire({}, peer);
  wire.frames(arp('10.0.2.2'));
  expect(wire.frames(echo(4)).map((frame) => frame.length)).toEqual([length]);
});

// QEMU 7.2 sets do_not_pad in hw/net/virtio-net.c alone.
test('virtio-net alone takes what is shorter than a wire', () => {
  const takers = Object.values<AnyDriver>(DEVICES).filter((driver) => {
    const { properties = {} } = driver;
    const isNic = Object.values(properties).some((property) => property.type === 'str' && property.names === 'netdev');
    return isNic && driver.create(setupOf(driver.name, driver, {})).takesShort === true;
  });
  expect(takers.map(({ name }) => name)).toEqual(['virtio-net-pci']);
});

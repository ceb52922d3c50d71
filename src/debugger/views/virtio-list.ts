import { objectPath, virtioDevices } from './parts.ts';
import { viewOf } from './view.ts';

/** A virtio device, by its place in QEMU's object model. */
interface VirtioListed {
  readonly path: string;
  readonly name: string;
}

export const VIRTIO_LIST = viewOf({
  usage: 'virtio',
  help: 'virtio devices',
  also: ['info virtio'],
  look: ({ view }): readonly VirtioListed[] =>
    virtioDevices(view).map(({ part, driver }) => ({
      path: `${objectPath(view, part)}/virtio-backend`,
      name: driver.replace(/-pci$/, ''),
    })),
  print: (listed) =>
    listed.length === 0 ? 'No VirtIO devices' : listed.map(({ path, name }) => `${path} [${name}]`).join('\n'),
});

export type { VirtioLayout, VirtioSetup } from './layout.ts';
export type { ConfigWrite, VirtioBody, VirtioModel } from './model.ts';
export { VIRTIO_PROPERTIES, virtioPciDriver } from './pci.ts';
export {
  breakDevice,
  type GoodChain,
  notifyDriver,
  pushElement,
  serveQueue,
  type VirtioPart,
} from './queues.ts';
export { readMemory, scatter } from './ring.ts';
export { lengthOf, part } from './segments.ts';
export { hasFeature } from './state.ts';
export type { Element, Segment, VirtioFunctionState, VirtioState } from './state.ts';

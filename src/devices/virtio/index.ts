export { UNSPECIFIED, type VirtioLayout, type VirtioSetup } from './layout.ts';
export type { ConfigWrite, VirtioBody, VirtioModel } from './model.ts';
export { VIRTIO_PROPERTIES, virtioPciDriver } from './pci.ts';
export {
  breakDevice,
  bytesAsked,
  configChanged,
  type GoodChain,
  notifyDriver,
  pushElement,
  serveQueue,
  startDevice,
  takeElement,
  type VirtioPart,
} from './queues.ts';
export { ANY_LAYOUT } from './registers.ts';
export { readMemory, scatter } from './ring.ts';
export { lengthOf, part } from './segments.ts';
export { hasFeature, isAtWork } from './state.ts';
export type { Element, Segment, VirtioFunctionState, VirtioState, VirtqueueState } from './state.ts';

export { UNSPECIFIED, type VirtioLayout, type VirtioSetup } from './layout.ts';
export type { ConfigWrite, VirtioBody, VirtioModel } from './model.ts';
export { VIRTIO_PROPERTIES, virtioPciDriver } from './pci.ts';
export {
  breakDevice,
  bytesAsked,
  configChanged,
  detachElement,
  dropAll,
  fillElement,
  flushElements,
  type GoodChain,
  isServed,
  lookAhead,
  notifyDriver,
  pushElement,
  queueOf,
  serveQueue,
  setNotification,
  startDevice,
  takeChain,
  takeElement,
  takeNext,
  unpopElement,
  type VirtioPart,
} from './queues.ts';
export { ANY_LAYOUT } from './registers.ts';
export { availableIndex, type Reader, readingOnce, readMemory, scatter, scatterTold, writableBytes } from './ring.ts';
export { lengthOf, part } from './segments.ts';
export { hasFeature, isAtWork } from './state.ts';
export type { Element, Segment, VirtioFunctionState, VirtioState, VirtqueueState, Words } from './state.ts';

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
  GUEST_NOTIFIER,
  type GoodChain,
  isServed,
  lookAhead,
  notifyDriver,
  pushElement,
  queueOf,
  restoreQueue,
  serveQueue,
  setNotification,
  startDevice,
  takeChain,
  takeElement,
  takeNext,
  unpopElement,
  type VirtioPart,
} from './queues.ts';
export { ANY_LAYOUT, DESCRIPTOR, NO_INTERRUPT, NO_NOTIFY, NO_VECTOR } from './registers.ts';
export {
  availableIndex,
  type Descriptor,
  descriptorIn,
  needsEvent,
  type Reader,
  readingOnce,
  readMemory,
  scatter,
  scatterTold,
  u16At,
  writableBytes,
} from './ring.ts';
export { lengthOf, part, partBy, segmentBytes, segmentsFrom } from './segments.ts';
export { hasFeature, isAtWork } from './state.ts';
export type { Element, Segment, VirtioFunctionState, VirtioState, VirtqueueState, Words } from './state.ts';

export { type Capability, capabilityOf, type Placed, placeCapabilities, vendor } from './capabilities.ts';
export { type ConfigByte, type ConfigRange, getConfig } from './config-space.ts';
export { type Dma, dmaBeside } from './dma.ts';
export {
  type FunctionBody,
  type PciModel,
  pciDriver,
  type PciShape,
  type ShapedPciModel,
  shapedPciDriver,
} from './driver.ts';
export {
  COMMAND,
  type ConfigLayout,
  configAtReset,
  configWritten,
  functionAtReset,
  intxDriven,
  isBusMaster,
  isIntxDisabled,
  isPciFunction,
  movesRegions,
  placeOfBar,
  PCI,
  type PciBar,
  type PciFunction,
  type PciFunctionState,
  type PciIdentity,
  regionBase,
  resetConfig,
} from './function.ts';
export { type ConfigTarget, configTarget, pirqOf } from './mechanism.ts';
export {
  causeOf,
  hasMessages,
  isMasked,
  isPending,
  messageOf,
  messagesOf,
  vectorPending,
} from './interrupts.ts';
export type { Message } from './message.ts';
export { type MsiOptions, msi } from './msi.ts';
export { isMsixOn, type MsixOptions, type MsixState, msix } from './msix.ts';
export { romFor, ROM_PROPERTIES, ROM_REGION, type RomSetup, romSize } from './rom.ts';

export {
  COMMAND,
  type ConfigByte,
  type ConfigRange,
  configAtReset,
  driveIntx,
  getConfig,
  isBusMaster,
  PCI,
  type PciBar,
  type PciFunction,
  type PciFunctionState,
  type PciIdentity,
  putConfig,
  regionBase,
  resetConfig,
  writeConfig,
} from './function.ts';
export { type ConfigTarget, configTarget, pirqOf } from './mechanism.ts';

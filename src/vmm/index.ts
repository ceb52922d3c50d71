export type { Wire } from '../devices/wire.ts';
export type { MachineConfig, PartConfig } from './config.ts';
export type { HostMemory, VmmHost } from './host.ts';
export { type ImagePart, loaderParts } from './loaders/loader-parts.ts';
export { isMultiboot } from './loaders/multiboot.ts';
export type { DeviceOption, MachineOptions, NamedImage } from './options.ts';
export { deviceRomBytes } from './pc/parts.ts';
export type { DevicesState, VmmState } from './state.ts';
export { createMachinePc, type Vmm } from './vmm.ts';

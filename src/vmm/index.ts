export type { HostMemory, VmmHost } from './host.ts';
export { type ImagePart, loaderParts } from './loaders/loader-parts.ts';
export type { VmmState } from './machine.ts';
export type { DeviceOption, MachineOptions, NamedImage } from './options.ts';
export { createMachinePc, type Vmm } from './vmm.ts';

/** Every device model, by the name a machine's configuration gives it. To add one: its folder, and its line here. */
export { driver as debugExit } from './debug-exit/index.ts';
export { driver as debugPorts } from './debug-ports/index.ts';
export { driver as debugcon } from './debugcon/index.ts';
export { driver as edu } from './edu/index.ts';
export { driver as hpet } from './hpet/index.ts';
export { driver as i440fx } from './i440fx/index.ts';
export { driver as i8042 } from './i8042/index.ts';
export { driver as i8237 } from './i8237/index.ts';
export { driver as kvmvapic } from './kvmvapic/index.ts';
export { driver as mc146818 } from './mc146818/index.ts';
export { driver as pcTestdev } from './pc-testdev/index.ts';
export { driver as pciTestdev } from './pci-testdev/index.ts';
export { driver as piix3 } from './piix3/index.ts';
export { driver as piix3Ide } from './piix3-ide/index.ts';
export { driver as piix4Pm } from './piix4-pm/index.ts';
export { driver as port92 } from './port92/index.ts';
export { driver as uart16550 } from './uart16550/index.ts';

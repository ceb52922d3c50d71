/** Every backend of `-netdev`, by the name a machine's configuration gives its model. */
export { driver as pcap } from './capture/index.ts';
export { dgram, frames, joined, socket, stream, tapFd } from './frames/index.ts';
export { bridgeDriver as tapOfBridge, driver as tap } from './tap/index.ts';
export { driver as user } from './user/index.ts';

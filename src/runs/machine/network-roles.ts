import type { NetworkFileRole } from '../world.ts';

/** The role of a file a backend serves, by the backend's id and what the device calls it: printable, without spaces. */
export const networkFileRole = (id: string, file: string): NetworkFileRole => `net:${id}:${encodeURI(file)}`;

export const isNetworkFile = (role: string): role is NetworkFileRole => role.startsWith('net:');

import { type HostSockets, type OpenSockets, together } from './host-sockets.ts';
import { openOutside } from './outside/index.ts';
import { openUserSockets } from './sockets.ts';

/** Open what a run's options ask for: undefined if that is nothing. Throws a Problem for a port that is taken. */
export const openSockets: OpenSockets = async (world, options) => {
  const opened: HostSockets[] = [];
  try {
    for (const open of [openUserSockets, openOutside]) {
      const sockets = await open(world, options);
      if (sockets !== undefined) opened.push(sockets);
    }
  } catch (error) {
    together(opened).close();
    throw error;
  }
  return opened.length === 0 ? undefined : together(opened);
};

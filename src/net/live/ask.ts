import type { UserNet } from '../user/part.ts';

/** Ask something of a connection's socket of the host's. length: of `more`. */
export function askSocket({ effects }: UserNet, connection: number, what: 'more' | 'shut' | 'close', length = 0): void {
  effects.raise({ kind: 'sim:socket_asked', dev: effects.name, connection, what, host: '', port: 0, length });
}

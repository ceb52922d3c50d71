import type { UserNet } from '../user/part.ts';

/** A connection is no more. */
export function close({ effects }: UserNet, connection: number, why: string): void {
  effects.raise({ kind: 'sim:tcp_closed', dev: effects.name, connection, why });
}

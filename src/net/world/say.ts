import type { UserNet } from '../user/part.ts';

/** Latin-1 text as bytes. */
export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** A host says something, and after it nothing more if it `ends`. */
export function say({ effects }: UserNet, connection: number, bytes: Uint8Array, ends: boolean): void {
  effects.raise({ kind: 'sim:tcp_said', dev: effects.name, connection, bytes, ends });
}

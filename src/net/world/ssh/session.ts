import type { UserNet } from '../../user/part.ts';
import { bytesOf } from '../say.ts';
import type { Host, Service } from '../world.ts';
import { MESSAGES, messageText } from './messages.ts';
import type { SshState } from './state.ts';
import { joined, nameList, sized, word } from './wire.ts';

/** A server of SSH at work on one connection. */
export interface Session {
  readonly net: UserNet;
  readonly connection: number;
  readonly host: Host;
  readonly service: Service;
  /** As it is now: whoever raises a fact sees it change. */
  readonly app: SshState;
}

/** Say a message. */
export function tell({ net: { effects }, connection }: Session, payload: Uint8Array): void {
  const message = messageText(payload);
  effects.raise({ kind: 'sim:ssh_said', dev: effects.name, connection, message, payload });
}

/** Say the line that comes before all messages. */
export function greet({ net: { effects }, connection }: Session, version: string): void {
  const payload = bytesOf(`${version}\r\n`);
  effects.raise({ kind: 'sim:ssh_said', dev: effects.name, connection, message: version, payload });
}

/** RFC 4253, 11.1. */
export const REASONS = {
  ...{ PROTOCOL_ERROR: 2, KEY_EXCHANGE_FAILED: 3, MAC_ERROR: 5, SERVICE_NOT_AVAILABLE: 7, NO_MORE_AUTH_METHODS: 14 },
} as const;

/** Say that it is over, and why. */
export function disconnect(session: Session, reason: keyof typeof REASONS, why: string): void {
  tell(session, joined(MESSAGES.DISCONNECT, word(REASONS[reason]), sized(why), nameList()));
}

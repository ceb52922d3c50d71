/** Who a guest says to be, and how it shows so: RFC 4252. */
import { ByteReader } from '../../../base/byte-reader.ts';
import { base64, fromLatin1 } from '../../../base/bytes.ts';
import { Problem } from '../../../base/problem.ts';
import type { SshUser } from '../world.ts';
import { HOST_KEY, isSigned } from './key-exchange.ts';
import { type AuthRequest, MESSAGES } from './messages.ts';
import { disconnect, type Session, tell } from './session.ts';
import { joined, nameList, sized, takeString, takeText } from './wire.ts';

/** sshd's MaxAuthTries, and the question which ways there are. */
const MOST_FAILURES = 6 + 1;

const CONNECTION = 'ssh-connection';

/** Answer who would come in by a request, whose message's bytes are `payload`. */
export function authenticate(session: Session, request: AuthRequest, payload: Uint8Array): void {
  const { app, service } = session;
  if (app.isIn) return;
  if (request.service !== CONNECTION) {
    disconnect(session, 'SERVICE_NOT_AVAILABLE', `there is no service ${request.service.slice(0, 64)}`);
    return;
  }
  const user = service.users?.find(({ name }) => name === request.user);
  const answer = user === undefined ? 'refused' : answerOf(user, app.session, request, payload);
  if (answer === 'accepted') {
    tell(session, joined(MESSAGES.USERAUTH_SUCCESS));
  } else if (answer === 'would do') {
    const { algorithm, blob } = request.key!;
    tell(session, joined(MESSAGES.USERAUTH_PK_OK, sized(algorithm), sized(blob)));
  } else if (app.failures + 1 >= MOST_FAILURES) {
    disconnect(session, 'NO_MORE_AUTH_METHODS', 'Too many authentication failures');
  } else {
    tell(session, joined(MESSAGES.USERAUTH_FAILURE, nameList(...waysOf(user)), 0));
  }
}

/** What may go on. Of somebody who is not known it is not told. */
function waysOf(user: SshUser | undefined): readonly string[] {
  if (user === undefined) return ['publickey', 'password'];
  return [...(user.keys === undefined ? [] : ['publickey']), ...(user.password === undefined ? [] : ['password'])];
}

type Answer = 'accepted' | 'would do' | 'refused';

function answerOf(user: SshUser, session: string, request: AuthRequest, payload: Uint8Array): Answer {
  const { method, password, key, signature, signedLength } = request;
  if (method === 'none') return user.password === undefined && user.keys === undefined ? 'accepted' : 'refused';
  if (method === 'password') return password === user.password && password !== undefined ? 'accepted' : 'refused';
  if (key === undefined || key.algorithm !== HOST_KEY || !isAuthorized(user, key.blob)) return 'refused';
  if (signature === undefined) return 'would do';
  const signed = joined(sized(fromLatin1(session)), payload.subarray(0, 1 + signedLength));
  const [publicKey, proof] = [keyIn(key.blob), keyIn(signature)];
  const holds = publicKey !== undefined && proof !== undefined && isSigned(publicKey, proof, signed);
  return holds ? 'accepted' : 'refused';
}

/** Whether a key is one of those that a person wrote down: `ssh-ed25519 AAAA... whose`. */
const isAuthorized = ({ keys = [] }: SshUser, blob: Uint8Array): boolean =>
  keys.some((line) => line.split(' ')[1] === base64(blob));

/** What is behind the name of its algorithm, a key or a signature. */
function keyIn(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new ByteReader(bytes, 'a key');
  try {
    return takeText(reader) === HOST_KEY ? Uint8Array.from(takeString(reader)) : undefined;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

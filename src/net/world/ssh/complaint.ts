/** What a guest may not say: a connection ends with it. */
import type { Message } from './messages.ts';
import { MOST_MESSAGE, type SshState } from './state.ts';

/** Why a message must not come now, in a few words; undefined: it may. */
export function complaintAbout(app: SshState, message: Message | undefined): string | undefined {
  if (message === undefined) return 'a message that ends early';
  if (message.is === 'disconnect') return undefined;
  const { exchange } = app;
  return exchange === undefined ? outsideOfExchange(app, message) : inExchange(app, exchange, message);
}

type Exchange = NonNullable<SshState['exchange']>;

/** While keys are agreed on there is one message that comes next. */
function inExchange({ isStrict, session }: SshState, exchange: Exchange, { is }: Message): string | undefined {
  if (is === 'void' && !(isStrict && session === '')) return undefined;
  const awaited = exchange.theirs === '' ? 'offer' : exchange.isKeyed ? 'newkeys' : 'point';
  return is === awaited ? undefined : `no ${NAMES[awaited]}`;
}

const NAMES = { offer: 'KEXINIT', newkeys: 'NEWKEYS', point: 'KEX_ECDH_INIT' } as const;

function outsideOfExchange(app: SshState, message: Message): string | undefined {
  switch (message.is) {
    case 'void':
    case 'unknown':
    case 'offer':
    case 'service':
    case 'auth':
      return undefined;
    case 'point':
    case 'newkeys':
    case 'failure':
    case 'success':
      return 'a message out of its turn';
    default:
      return app.isIn ? inChannel(app, message) : 'a message before it is known who sends it';
  }
}

const MOST_WINDOW = 2 ** 32 - 1;

function inChannel({ channels }: SshState, message: Message): string | undefined {
  if (!('channel' in message)) return undefined;
  const channel = channels.find(({ number }) => number === message.channel);
  if (channel === undefined || channel.guestCloses) return 'a message for a channel that is not open';
  if (message.is === 'adjust' && channel.window + message.bytes > MOST_WINDOW) return 'a window that is too large';
  if (message.is !== 'data' && message.is !== 'errors') return undefined;
  const { length } = message.data;
  return length > Math.min(channel.offered, MOST_MESSAGE) ? 'more than there is a window for' : undefined;
}

import { describe, expect, test } from 'vitest';
import { latin1 } from '../../../src/base/bytes.ts';
import { MESSAGES, messageText } from '../../../src/net/world/ssh/messages.ts';
import type { SshState } from '../../../src/net/world/ssh/state.ts';
import { joined, sized, word } from '../../../src/net/world/ssh/wire.ts';
import type { World } from '../../../src/net/world/world.ts';
import { casesOf, firstOf, LONG } from '../../how-long.ts';
import { Bench } from '../bench.ts';
import { authRequest, data, executing, type Lists, offering, opening, SshClient } from './ssh-client.ts';

const HOST = '10.0.2.9';
const world: World = {
  hosts: [
    {
      addresses: [HOST],
      services: [
        {
          ...{ kind: 'ssh', port: 22 },
          users: [{ name: 'open' }, { name: 'root', password: 'secret' }],
          commands: [
            { command: 'hello', output: 'Grüße\n', errors: 'no\n', status: 3 },
            { command: 'long', output: 'x'.repeat(60_000) },
            { command: 'cat', does: 'echo' },
          ],
        },
      ],
    },
  ],
};

function begun(): { readonly bench: Bench; readonly client: SshClient } {
  const bench = new Bench(world);
  return { bench, client: new SshClient(bench, HOST).greet() };
}

function entered(): { readonly bench: Bench; readonly client: SshClient } {
  const { bench, client } = begun();
  return { bench, client: client.exchange().enter() };
}

const told = ({ heard }: SshClient): string[] => heard.map((payload) => messageText(payload));
const last = ({ heard }: SshClient): string => latin1(heard.at(-1) ?? new Uint8Array(0));
const serverOf = ({ net }: Bench): SshState => net.state.tcp.connections[1]?.app as SshState;
const ignored = joined(MESSAGES.IGNORE, sized('nothing'));

test('a command: its output, in UTF-8, its errors and its status, on a channel that is closed then', () => {
  const { bench, client } = entered();
  client.say(opening(5)).say(executing(0, 'hello'));
  expect(client.version).toBe('SSH-2.0-Retrovisor');
  expect(told(client).slice(2)).toEqual([
    ...['CHANNEL_OPEN_CONFIRMATION', 'CHANNEL_SUCCESS', 'CHANNEL_DATA 8 bytes', 'CHANNEL_EXTENDED_DATA 3 bytes'],
    ...['CHANNEL_EOF', 'CHANNEL_REQUEST exit-status', 'CHANNEL_CLOSE'],
  ]);
  expect(serverOf(bench).channels).toHaveLength(1);
  client.say(joined(MESSAGES.CHANNEL_CLOSE, word(0)));
  expect(serverOf(bench).channels).toEqual([]);
  client.say(joined(MESSAGES.DISCONNECT, word(11), sized(''), sized('')));
  expect(client.tcp.hasEnded).toBe(true);
  expect(bench.ofKind('sim:ssh_ran')).toMatchObject([{ command: 'hello', status: 3 }]);
  expect(bench.isFolded).toBe(true);
});

test('the same chance makes the same bytes, and other chance others', LONG, () => {
  const bytesWith = (chance: number): string => {
    const bench = new Bench(world, { chance: () => chance });
    return new SshClient(bench, HOST).greet().exchange().enter().tcp.heard;
  };
  expect(bytesWith(0.1)).toBe(bytesWith(0.1));
  expect(bytesWith(0.1)).not.toBe(bytesWith(0.2));
});

test('what is said waits for a window, and no more is taken than is offered', LONG, () => {
  const { bench, client } = entered();
  client.say(opening(1, 1000, 300)).say(executing(0, 'long'));
  const lengths = (): number[] => told(client).flatMap((text) => [Number(/DATA (\d+)/.exec(text)?.[1] ?? 0)]);
  const sum = (): number => lengths().reduce((all, each) => all + each, 0);
  expect([sum(), Math.max(...lengths())]).toEqual([1000, 300]);
  client.say(joined(MESSAGES.CHANNEL_WINDOW_ADJUST, word(1), word(0)));
  expect(last(client)).toContain('not open');
  expect(serverOf(bench).isOver).toBe(true);

  const other = entered().client;
  other.say(opening(1, 0)).say(executing(0, 'cat'));
  for (let sent = 0; sent < 2; sent++) other.say(data(0, 'y'.repeat(32_768)));
  expect(told(other).at(-1)).toBe('CHANNEL_SUCCESS');
  other.say(joined(MESSAGES.CHANNEL_WINDOW_ADJUST, word(0), word(40_000)));
  expect(told(other).slice(-3)).toEqual([
    ...['CHANNEL_DATA 16384 bytes', 'CHANNEL_DATA 7232 bytes', 'CHANNEL_WINDOW_ADJUST'],
  ]);
  expect(told(other.say(data(0, 'y'.repeat(32_768)))).at(-1)).toBe('CHANNEL_WINDOW_ADJUST');
  expect(last(other.say(data(0, 'y'.repeat(32_768))))).toContain('more than there is a window for');
});

const WRONG: readonly [string, (client: SshClient) => void, string][] = [
  ['data before it is known who sends it', (client) => client.exchange().say(data(0, 'x')), 'before it is known'],
  ['nothing to agree on keys first', (client) => client.say(authRequest('open', 'none')), 'no KEXINIT'],
  ['keys that anybody knows', (client) => client.exchange(offering(), new Uint8Array(32)), 'must not be used'],
  ['a point that is none', (client) => client.exchange(offering(), new Uint8Array(3)), 'must not be used'],
  ['NEWKEYS of its own accord', (client) => client.exchange().say(joined(MESSAGES.NEWKEYS)), 'out of its turn'],
  ['a message that ends early', (client) => client.exchange().say(joined(MESSAGES.KEXINIT, 1)), 'ends early'],
  ['a channel that is not open', (client) => client.exchange().enter().say(data(3, 'x')), 'not open'],
  ['another service', (client) => client.exchange().say(joined(5, sized('shell'))), 'no service shell'],
  ['a message of the server', (client) => client.exchange().say(joined(MESSAGES.USERAUTH_SUCCESS)), 'out of its turn'],
  ['a packet that is too long', (client) => client.tcp.say('\0\x01\0\0'.repeat(5)), 'Bad packet length'],
  ['something else', (client) => client.exchange().tcp.say('x'.repeat(70_000)), 'Bad packet length'],
];

test.each(firstOf(3, WRONG))('the connection ends with %s', (_, speak, why) => {
  const { bench, client } = begun();
  speak(client);
  const said = bench.ofKind('sim:ssh_said').at(-1)!;
  expect([said.message, latin1(said.payload)]).toEqual(['DISCONNECT', expect.stringContaining(why)]);
  expect(client.tcp.hasEnded).toBe(true);
  expect(serverOf(bench).isOver).toBe(true);
  client.tcp.say('x'.repeat(200_000));
  expect(serverOf(bench).heard.length).toBeLessThan(128 * 1024);
  expect(bench.isFolded).toBe(true);
});

test.each<[string, Lists]>([
  ['key exchange', { kex: ['ecdh-sha2-nistp256'] }],
  ['host key', { hostKeys: ['ssh-rsa'] }],
  ['cipher', { ciphers: ['aes128-ctr'] }],
  ['compression', { compressions: ['zlib'] }],
])('no %s in common', (what, lists) => {
  expect(last(begun().client.say(offering(lists)))).toContain(`no matching ${what} found`);
});

test.each([1, 17])('a sealed packet of which the last bytes are others is not taken: %i', (spoilt) => {
  const { bench, client } = entered();
  const before = client.heard.length;
  client.say(opening(1), spoilt);
  expect(told(client).slice(before)).toEqual(['DISCONNECT']);
  expect(last(client)).toContain('Corrupted MAC on input');
  expect(bench.ofKind('sim:ssh_heard').at(-1)!.message).toBe('USERAUTH_REQUEST open none');
});

describe('what OpenSSH asks for beside RFC 4253', () => {
  test('a strict exchange has nothing before it', () => {
    const strict = offering({ kex: ['curve25519-sha256', 'kex-strict-c-v00@openssh.com'] });
    expect(last(begun().client.say(strict).say(ignored))).toContain('no KEX_ECDH_INIT');
    expect(told(begun().client.say(offering()).say(ignored))).toEqual([]);
  });

  test('a guess that is wrong is void, and nothing that is not known harms', () => {
    const { client } = begun();
    const guessing = offering({ kex: ['sntrup761x25519-sha512@openssh.com', 'curve25519-sha256'], guesses: true });
    client.say(guessing).say(joined(MESSAGES.KEX_ECDH_INIT, sized('not for this')));
    expect(told(client)).toEqual([]);
    const { client: other } = entered();
    expect(told(other.say(joined(192, sized('ping')))).at(-1)).toBe('UNIMPLEMENTED');
    expect(told(other.say(joined(MESSAGES.GLOBAL_REQUEST, sized('keepalive@openssh.com'), 1))).at(-1)).toBe(
      'REQUEST_FAILURE',
    );
  });
});

test('who fails seven times may try no more, and ten channels are all there are', () => {
  const { client } = begun();
  client.exchange().say(joined(MESSAGES.SERVICE_REQUEST, sized('ssh-userauth')));
  for (let turn = 0; turn < 7; turn++) client.say(authRequest('root', 'password', 0, sized('guess')));
  expect(told(client).slice(-2)).toEqual(['USERAUTH_FAILURE', 'DISCONNECT']);

  const { bench, client: many } = entered();
  for (let peer = 0; peer < 12; peer++) many.say(opening(peer));
  expect(told(many).slice(-3)).toEqual([
    ...['CHANNEL_OPEN_CONFIRMATION', 'CHANNEL_OPEN_FAILURE', 'CHANNEL_OPEN_FAILURE'],
  ]);
  expect(serverOf(bench).channels).toHaveLength(10);
  many.say(joined(MESSAGES.CHANNEL_CLOSE, word(4))).say(opening(3));
  expect(told(many).at(-1)).toBe('CHANNEL_OPEN_FAILURE');
  expect(told(many.say(opening(4))).at(-1)).toBe('CHANNEL_OPEN_CONFIRMATION');
});

/** Numbers of a seed, each below the one asked for. */
function drawing(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const TYPES = ['exec', 'shell', 'pty-req', 'env', 'subsystem'];
const LINES = ['hello', 'cat', 'long', 'exit 3', 'what'];
const KEYS = ['hello\r', '\x7f', '\x03', 'ab\x15', 'long\n', 'x'.repeat(2000)];

/** A message that is right, or nearly so, mostly about one of the channels that are open. */
function drawn(draw: (below: number) => number, open: readonly number[]): Uint8Array {
  const channel = open.length === 0 || draw(60) === 0 ? draw(3) : open[draw(open.length)]!;
  const messages = [
    () => opening(draw(4), draw(2) * draw(100_000), draw(2) * 1000),
    () => joined(98, word(channel), sized(TYPES[draw(5)]!), draw(2), sized(LINES[draw(5)]!)),
    () => joined(98, word(channel), sized(TYPES[draw(5)]!), draw(2), sized(LINES[draw(5)]!)),
    () => data(channel, KEYS[draw(6)]!),
    () => data(channel, 'z'.repeat(draw(33_000))),
    () => joined(93, word(channel), word(draw(70_000))),
    () => joined(96 + draw(2), word(channel)),
    () => ignored,
  ];
  if (open.length === 0) return opening(draw(4), draw(100_000), 1000);
  if (draw(40) === 0) return joined(draw(256), word(draw(3)), word(draw(2 ** 31)));
  const message = messages[draw(messages.length)]!();
  return draw(80) === 0 ? message.subarray(0, 1 + draw(message.length)) : message;
}

function expectBounded(bench: Bench): void {
  for (const { app, pieces } of Object.values(bench.net.state.tcp.connections)) {
    const { channels, heard } = app as SshState;
    expect(channels.length).toBeLessThanOrEqual(10);
    expect(heard.length).toBeLessThan(256 * 1024);
    expect(pieces.reduce((sum, piece) => sum + (piece.of === 'text' ? piece.text.length : 0), 0)).toBeLessThan(300_000);
    for (const { typed, output, errors } of channels) {
      expect(Math.max(typed.length, output.length, errors.length)).toBeLessThan(200_000);
    }
  }
}

const seeds = casesOf('RETROVISOR_HOSTILE_SSH', { whole: 300, quick: 1 });

test(`messages that are right or nearly so, or not at all: ${seeds} seeds`, () => {
  const ended = { byServer: 0, run: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const draw = drawing(seed * 7919);
    const bench = new Bench(world, { chance: () => draw(1000) / 1000 }, seed % 10 === 1);
    const client = new SshClient(bench, HOST).greet().exchange().enter();
    for (let turn = 0; turn < 60 && !client.tcp.hasEnded; turn++) {
      if (draw(30) === 0) client.exchange();
      else client.say(drawn(draw, serverOf(bench)?.channels.map(({ number }) => number) ?? []));
    }
    expectBounded(bench);
    ended.run += bench.ofKind('sim:ssh_ran').length;
    ended.byServer += bench.ofKind('sim:ssh_said').filter(({ message }) => message === 'DISCONNECT').length;
    if (seed % 10 === 1) expect(bench.isFolded).toBe(true);
  }
  expect(ended.run + ended.byServer).toBeGreaterThanOrEqual(seeds);
  process.stdout.write(`${ended.run} programs went on, ${ended.byServer} connections were ended\n`);
});

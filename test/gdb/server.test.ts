import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hexText, packetOf } from '../../src/gdb/packet.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { recordRun, recordTour } from '../debugger/recorded-tour.ts';
import { casesOf } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { oddPackets } from './odd-packets.ts';
import { rawClient, talk } from './raw-client.ts';
import { NO_LOOPBACK, type Served, serveHere } from './stock-gdb.ts';

const folder = scratchFolder();
const trace = join(folder, 'tour.trace');
const MINUTES = 120_000;

let served: Served;
beforeAll(async () => {
  recordRun(['--trace', trace]);
  served = await serveHere(trace);
}, MINUTES);
afterAll(() => served?.stop());

describe('a client that is no gdb', without(NO_LOOPBACK), () => {
  const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const talkHere = (text: string, isEnough: (heard: string) => boolean) => talk(served.port, text, isEnough);

  /** The one before may not have left yet: refused, try again. */
  const talkServed = async (text: string, isEnough: (heard: string) => boolean): Promise<string> => {
    for (;;) {
      const heard = await talkHere(text, isEnough);
      if (heard !== '') return heard;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  /** Each piece in a segment of its own. */
  const talkInPieces = (pieces: readonly string[], isEnough: (heard: string) => boolean): Promise<string> =>
    new Promise((resolve) => {
      let heard = '';
      const socket = connect(served.port, '127.0.0.1', async () => {
        socket.setNoDelay(true);
        for (const piece of pieces) {
          socket.write(bytes(piece));
          await new Promise((next) => setImmediate(next));
        }
      });
      socket.on('data', (data) => {
        heard += data.toString('latin1');
        if (isEnough(heard)) socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(heard === '' ? talkInPieces(pieces, isEnough) : heard));
    });

  const askedUntilServed = (): Promise<string> => talkServed(packetOf('qAttached'), (all) => all.includes('#'));

  test(
    'gets an empty answer to what is not known, and an error for nonsense',
    async () => {
      const heard = await talkServed(
        ['QStartNoAckMode', 'qWhatever', 'mxyz', 'p9999', 'Z0,', 'Hgffff', 'vCont;s:99'].map(packetOf).join(''),
        (all) => all.split('#').length > 7,
      );
      const answers = [...heard.matchAll(/\$([^#]*)#/g)].map(([, body]) => body);
      expect(answers).toEqual(['OK', '', 'E22', 'E00', 'E22', 'E01', 'E01']);
    },
    MINUTES,
  );

  test(
    'may vanish in the middle of a command: the next is served',
    async () => {
      for (const cut of ['$m0,', packetOf('c'), '$', packetOf('bc')]) {
        const socket = connect(served.port, '127.0.0.1', () => socket.end(bytes(cut), () => socket.destroy()));
        socket.on('error', () => undefined);
        await new Promise((resolve) => socket.once('close', resolve));
      }
      expect(await askedUntilServed()).toContain(packetOf('1'));
    },
    MINUTES,
  );

  test(
    'is understood however its packets are cut, and mid-journey bytes change no answer',
    async () => {
      const asked = [
        'QStartNoAckMode',
        `qRcmd,${hexText('seek 1000')}`,
        '?',
        'g',
        'p10',
        'm100000,40',
        'vCont;s:1',
        'p10',
        'bs',
        'p10',
        'qC',
        'Hg1',
        'T2',
      ];
      const bytesSent = asked.map(packetOf).join('');
      const isEnough = (heard: string): boolean => heard.split('#').length > asked.length;
      const whole = await talkServed(bytesSent, isEnough);
      let state = 12_345;
      for (let round = 0; round < 8; round += 1) {
        const pieces: string[] = [];
        for (let at = 0; at < bytesSent.length; ) {
          state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
          const length = 1 + ((state >> 16) % 9);
          pieces.push(bytesSent.slice(at, at + length));
          at += length;
        }
        expect(await talkInPieces(pieces, isEnough)).toBe(whole);
      }
    },
    MINUTES,
  );

  test(
    'that sends broken and endless packets is answered or refused, and the next is served',
    async () => {
      const first = packetOf('QStartNoAckMode');
      const endless = `$${'m'.repeat(0x20010)}#00`;
      const broken = ['$g#00', '$#00', '$}#7d', '$m,#99', '$vCont;s:1', '\x03', '-', '++--', '$X0,99:abc#00'].join('');
      for (const sent of [endless, broken]) {
        const whole = first + sent + packetOf('qAttached');
        await talkServed(whole, (all) => all.includes(packetOf('1')) || all.length > 4000);
        expect(await askedUntilServed()).toContain(packetOf('1'));
      }
      expect(served.said()).toContain('not understood');
    },
    MINUTES,
  );

  test(
    'that presses Ctrl-C stops a journey at once',
    async () => {
      const begun = packetOf('QStartNoAckMode') + packetOf('Z0,dead0000,1') + packetOf('vCont;c');
      const heard = await talkServed(`${begun}\x03`, (all) => /\$T\d\dthread/.test(all));
      expect(heard).toMatch(/\$T0[25]thread:1;/);
    },
    MINUTES,
  );

  test(
    'that floods is disconnected, and the next is served',
    async () => {
      await talkServed(packetOf('bc').repeat(5000), () => false);
      expect(served.said()).toContain('it was disconnected');
      expect(await askedUntilServed()).toContain(packetOf('1'));
    },
    MINUTES,
  );

  test(
    'that comes second is refused while the first goes on',
    async () => {
      const connected = (): Promise<Socket | undefined> =>
        new Promise((resolve) => {
          const socket = connect(served.port, '127.0.0.1', () => void socket.write(packetOf('qAttached')));
          socket.once('data', () => resolve(socket));
          socket.once('close', () => resolve(undefined));
          socket.on('error', () => undefined);
        });
      let first = await connected();
      while (first === undefined) first = await connected();
      expect(await talkHere(packetOf('qAttached'), () => false)).toBe('');
      expect(served.said()).toContain('one at a time');
      first.destroy();
    },
    MINUTES,
  );
});

describe('odd packets', without(NO_LOOPBACK), () => {
  test(
    'are answered, and none is met with a surprise',
    async () => {
      const small = join(folder, 'small.trace');
      recordTour(small, [], 2000);
      const server = await serveHere(small);
      let client = await rawClient(server.port);
      for (const packet of oddPackets(1, casesOf('ODD_PACKETS', { whole: 20_000, quick: 60 }))) {
        const answer = await client.ask(packet);
        if (/^(D|k|vKill)/.test(packet)) {
          await client.end();
          client = await rawClient(server.port);
        } else expect(answer, JSON.stringify(packet)).toBeDefined();
      }
      expect(await client.ask('qAttached')).toBe('1');
      expect(server.said()).not.toContain('could not go on');
      await client.end();
      server.stop();
    },
    10 * MINUTES,
  );

  test('that ask to go on in words there are not go nowhere', async () => {
    const client = await rawClient(served.port);
    const stands = await client.ask('?');
    const WORDS = [
      'vCont;t',
      'vCont;',
      'vCont;-1',
      'vCont;ffffffff',
      'vCont;c:7',
      'vCont;C0;ffff',
      'vCont;s:1;x',
      'vCont;r1',
    ];
    for (const word of WORDS) expect(await client.ask(word)).toBe('E01');
    for (const word of ['cX', 'sX', 'bsX', 'bcX', 'gX', 'qCRC:0,1']) expect(await client.ask(word)).toBe('');
    expect(await client.ask('G00')).toBe('E22');
    expect(await client.ask('?')).toBe(stands);
    await client.end();
  });
});

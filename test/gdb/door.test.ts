import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hexText, packetOf } from '../../src/gdb/packet.ts';
import { recordTour } from '../debugger/recorded-tour.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { without } from '../stepping-aside.ts';
import { rawClient, talk } from './raw-client.ts';
import { NO_LOOPBACK, type Served, serveHere } from './stock-gdb.ts';

const folder = scratchFolder();
const trace = join(folder, 'tour.trace');

let served: Served;
beforeAll(async () => {
  recordTour(trace, [], 2000);
  served = await serveHere(trace, folder);
});
afterAll(() => served?.stop());

const SAVE = packetOf(`qRcmd,${hexText(`fork save ${join(folder, 'stolen.trace')}`)}`);
const PACKETS = [packetOf('QStartNoAckMode'), packetOf('P0=7700000000000000'), SAVE].join('');
const HEADERS = `Host: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${PACKETS.length}\r\n\r\n`;

/** What people and pages send to a port, with gdb's packets in it. */
const STRANGERS: Readonly<Record<string, string>> = {
  'a page that posts text': `POST / HTTP/1.1\r\n${HEADERS}${PACKETS}`,
  'a page that asks for a path of packets': `GET /${PACKETS} HTTP/1.1\r\n\r\n`,
  'a WebSocket': `GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${PACKETS}\r\n\r\n`,
  'a method that is a packet, as rebound names allow': `${packetOf('g')} / HTTP/1.1\r\n${HEADERS}${PACKETS}`,
  'a preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a ClientHello of TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'a person at a keyboard': '\r\nhelp\r\n',
  'a packet whose checksum is wrong': '$g#00',
  'a packet that another cuts': `$g${packetOf('g')}`,
  'one byte before a packet': `x${PACKETS}`,
};

describe('the door of a gdb port', without(NO_LOOPBACK), () => {
  test.each(Object.entries(STRANGERS))('is closed on %s, without a byte', async (_who, sent) => {
    expect(await talk(served.port, sent, () => false)).toBe('');
    expect(served.said()).toMatch(/no packet of gdb/);
    expect(readdirSync(folder)).toEqual(['tour.trace']);
  });

  test('is closed on what is no packet later, too, and what stands before it in one piece is not obeyed', async () => {
    const client = await rawClient(served.port);
    const before = await client.ask('g');
    await client.end();
    const sent = `${packetOf('QStartNoAckMode')}${packetOf('P0=7700000000000000')} / HTTP/1.1\r\n`;
    expect(await talk(served.port, sent, () => false)).toBe('');
    const next = await rawClient(served.port);
    expect(await next.ask('g')).toBe(before);
    expect(await next.ask('qRcmd,666f726b')).toBe(hexText('This is the recorded run: nothing was changed.\n'));
    await next.end();
  });

  test('keeps nobody out for a connection that says nothing', async () => {
    const silent = await Promise.all(
      Array.from({ length: 3 }, () => {
        const socket = connect(served.port, '127.0.0.1');
        return new Promise<typeof socket>((resolve) => void socket.on('connect', () => resolve(socket)));
      }),
    );
    const client = await rawClient(served.port);
    expect(await client.ask('qAttached')).toBe('1');
    for (const socket of silent) socket.destroy();
    await client.end();
  });

  test('lets one in, and closes on a second one, with a line for the person at the terminal', async () => {
    const first = await rawClient(served.port);
    expect(await talk(served.port, packetOf('qAttached'), () => false)).toBe('');
    expect(served.said()).toContain('A second gdb was refused');
    expect(await first.ask('qAttached')).toBe('1');
    await first.end();
  });
});

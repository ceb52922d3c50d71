import { mkdirSync, readdirSync } from 'node:fs';
import { createServer, connect, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hexText, packetOf } from '../../src/gdb/packet.ts';
import { noChromium, onPage } from '../browser/chromium.ts';
import { recordTour } from '../debugger/recorded-tour.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { rawClient } from './raw-client.ts';
import { NO_LOOPBACK, serveHere } from './stock-gdb.ts';

const folder = scratchFolder();
const trace = join(folder, 'tour.trace');
const allowed = join(folder, 'allowed');

/** A way to a port on which every byte of both directions is seen. */
async function overheard(port: number): Promise<{ server: Server; port: number; sent: string[]; answered: string[] }> {
  const sent: string[] = [];
  const answered: string[] = [];
  const server = createServer((browser) => {
    const stub = connect(port, '127.0.0.1');
    browser.on('data', (bytes) => void sent.push(bytes.toString('latin1')));
    stub.on('data', (bytes) => void answered.push(bytes.toString('latin1')));
    for (const socket of [browser, stub]) socket.on('error', () => undefined);
    browser.pipe(stub);
    stub.pipe(browser);
    stub.on('close', () => browser.destroy());
  });
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  return { server, port: (server.address() as AddressInfo).port, sent, answered };
}

/** Runs in the page: everything a page can send to a port without asking it first, with packets in it. */
async function attack({ port, packets }: { readonly port: number; readonly packets: string }): Promise<string[]> {
  const heard: string[] = [];
  const url = `http://127.0.0.1:${port}/`;
  const note = (who: string) => (answer: { type: string; status: number }) =>
    void heard.push(`${who}: ${answer.type} ${answer.status}`);
  const nothing = (): void => undefined;
  const text = { 'content-type': 'text/plain' };
  await fetch(url, { method: 'POST', mode: 'no-cors', headers: text, body: packets }).then(note('no-cors'), nothing);
  await fetch(url, { method: 'POST', headers: text, body: packets }).then(note('cors'), nothing);
  await fetch(url + encodeURIComponent(packets), { mode: 'no-cors' }).then(note('GET'), nothing);
  await fetch(url, { method: '$k#6b', body: packets }).then(note('method'), nothing);
  navigator.sendBeacon(url, packets);
  for (const protocol of ['ws', 'wss']) {
    await new Promise<void>((over) => {
      const socket = new WebSocket(`${protocol}://127.0.0.1:${port}/${encodeURIComponent(packets)}`);
      socket.onopen = () => {
        heard.push(`${protocol}: open`);
        socket.send(packets);
      };
      socket.onmessage = () => void heard.push(`${protocol}: message`);
      socket.onclose = () => over();
    });
  }
  for (const enctype of ['text/plain', 'multipart/form-data', 'application/x-www-form-urlencoded']) {
    const frame = Object.assign(document.createElement('iframe'), { name: enctype });
    const form = Object.assign(document.createElement('form'), {
      action: url,
      method: 'post',
      enctype,
      target: enctype,
    });
    const field = Object.assign(document.createElement('textarea'), { name: packets, value: packets });
    form.append(field);
    document.body.append(frame, form);
    const loaded = new Promise<void>((over) => {
      frame.onload = () => over();
      setTimeout(over, 2000);
    });
    form.submit();
    await loaded;
  }
  return heard;
}

test('a web page that posts to the port by fetch, form and WebSocket is answered not a byte, and nothing is written', {
  ...LONG,
  ...without(noChromium, NO_LOOPBACK),
}, async () => {
  mkdirSync(allowed);
  recordTour(trace, [], 2000);
  // Even where gdb may write: it is the door that keeps the page out.
  const served = await serveHere(trace, allowed);
  const way = await overheard(served.port);
  const save = packetOf(`qRcmd,${hexText('fork save stolen.trace')}`);
  const packets = [packetOf('QStartNoAckMode'), packetOf('P0=7700000000000000'), save].join('');
  const page = new Map([['/', ['text/html', '<!doctype html><title>A page</title><body>'] as const]]);
  const heard = await onPage(page, async (opened, origin) => {
    await opened.goto(origin);
    return opened.evaluate(attack, { port: way.port, packets });
  });
  const all = way.sent.join('\n');
  expect(all).toContain(`\r\n\r\n${packets}`);
  expect(all).toMatch(/^POST \//m);
  expect(all).toMatch(/^GET \/.*\r\n[\s\S]*Upgrade: websocket/m);
  expect(all).toContain('multipart/form-data; boundary=');
  expect(way.answered).toEqual([]);
  expect(heard).toEqual([]);
  expect(readdirSync(allowed)).toEqual([]);
  expect(served.said()).toContain('no packet of gdb');
  // The same packets do all that when it is gdb that sends them.
  const gdb = await rawClient(served.port);
  expect(await gdb.ask('P0=7700000000000000')).toBe('OK');
  expect(await gdb.ask(`qRcmd,${hexText('fork save stolen.trace')}`)).toMatch(/^[0-9a-f]+$/);
  expect(readdirSync(allowed)).toEqual(['stolen.trace']);
  await gdb.end();
  served.stop();
  way.server.close();
});

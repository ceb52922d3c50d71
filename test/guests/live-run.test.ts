import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fold } from '../../src/cli/replay-commands.ts';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openRun } from '../../src/runs/underway/open-run.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, printed, scratchFolder } from './command-line.ts';
import { bytesOf } from './net/world.ts';

const trace = join(scratchFolder(), 'live.trace');
const CONTENT = bytesOf(64 * 1024);

const given = { ...without(noGuests('bios-256k.bin', 'efi-virtio.rom')), ...LONG };

test('iPXE boots from a server of this process', given, async () => {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.end(url === '/script' ? '#!ipxe\nimgfetch one.bin\nreboot\n' : CONTENT);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const run = openRun(
    NODE,
    runOptions([
      ...['-bios', guestFile('bios-256k.bin'), '-nodefaults', '-m', '64', '-serial', 'none', '-no-reboot'],
      ...['-netdev', `user,id=n0,live=localhost:${port},bootfile=http://10.0.2.2:${port}/script`, '-boot', 'order=n'],
      ...['-device', `virtio-net-pci,netdev=n0,romfile=${guestFile('efi-virtio.rom')}`, '--trace', trace],
    ]),
  );
  let heard = 0;
  run.events$.subscribe(({ event }) => {
    if (event.kind === 'sim:socket_data') heard += event.bytes.length;
  });
  const end = await run.ended();
  server.closeAllConnections();
  server.close();
  expect(end).toMatchObject({ why: 'ended', status: 0 });
  expect(asked).toEqual(['/script', '/one.bin']);
  expect(heard).toBeGreaterThan(CONTENT.length);
  expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
});

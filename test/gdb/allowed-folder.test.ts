import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writesIn } from '../../src/gdb/allowed-folder.ts';
import { hexText } from '../../src/gdb/packet.ts';
import { recordTour } from '../debugger/recorded-tour.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { without } from '../stepping-aside.ts';
import { type RawClient, rawClient } from './raw-client.ts';
import { NO_LOOPBACK, type Served, serveHere } from './stock-gdb.ts';
import { LONG } from '../how-long.ts';

const folder = scratchFolder();
const outside = join(folder, 'outside');
const allowed = join(folder, 'allowed');
const trace = join(outside, 'tour.trace');

beforeAll(() => {
  mkdirSync(join(allowed, 'below'), { recursive: true });
  mkdirSync(outside);
  recordTour(trace, [], 2000);
  writeFileSync(join(outside, 'kept'), 'kept');
  symlinkSync(outside, join(allowed, 'way-out'));
  symlinkSync(join(outside, 'kept'), join(allowed, 'link'));
  symlinkSync(join(outside, 'new'), join(allowed, 'dangling'));
});

describe('the folder gdb may write in', () => {
  const NAMES = [
    '../x',
    '../outside/kept',
    '/etc/x',
    'way-out/x',
    'link',
    'dangling',
    'below/../../x',
    '.',
    '..',
    'below',
  ];
  test.each([...NAMES, '/', 'no/such', 'a\0b', 'a\nb', '', '../allowed-too/x'])('is not left by %j', (name) => {
    expect(() => writesIn(allowed)(name)).toThrow(/gdb may write in .* only|control characters/);
  });

  test('takes names in it and below, and whole paths', () => {
    const pathFor = writesIn(allowed);
    for (const name of ['x', 'below/x', './below/../x', join(allowed, 'x'), '..x']) {
      expect(pathFor(name).startsWith(`${allowed}/`)).toBe(true);
    }
  });

  test('is a folder that is there', () => {
    expect(() => writesIn(join(folder, 'none'))).toThrow('there is no such file');
    expect(() => writesIn(join(outside, 'kept'))).toThrow('it is not a folder');
    expect(() => writesIn(undefined)('x')).toThrow('--allow-write');
  });
});

describe('commands of gdb that write files', without(NO_LOOPBACK), () => {
  let served: Served | undefined;
  afterAll(() => served?.stop());

  const monitor = async (client: RawClient, line: string): Promise<string> =>
    Buffer.from((await client.ask(`qRcmd,${hexText(line)}`)) ?? '', 'hex').toString();

  test('are refused unless somebody said where', async () => {
    served = await serveHere(trace);
    const client = await rawClient(served.port);
    expect(await client.ask('P0=7700000000000000')).toBe('OK');
    for (const command of [`fork save ${join(outside, 'x.trace')}`, `symbols ${join(outside, 'x')}`]) {
      expect(await monitor(client, command)).toContain('gdb may write no file here');
    }
    for (const packet of [`vFile:open:${hexText(join(outside, 'x'))},41,1b6`, 'vFile:pwrite:3,0,x', 'vRun;78']) {
      expect(await client.ask(packet)).toBe('');
    }
    expect(readdirSync(outside)).toEqual(['kept', 'tour.trace']);
    await client.end();
    served.stop();
  });

  test('write there and nowhere else', LONG, async () => {
    served = await serveHere(trace, allowed);
    const client = await rawClient(served.port);
    expect(await client.ask('P0=7700000000000000')).toBe('OK');
    for (const name of ['../outside/x', trace, 'link', 'dangling', 'way-out/x']) {
      expect(await monitor(client, `fork save ${name}`)).toContain('only');
    }
    expect(await monitor(client, 'fork save x.trace')).toContain(`${join(allowed, 'x.trace')}: `);
    expect(readdirSync(outside)).toEqual(['kept', 'tour.trace']);
    expect(readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
    expect(readdirSync(allowed)).toContain('x.trace');
    await client.end();
  });
});

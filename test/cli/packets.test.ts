import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { printFields, printPackets } from '../../src/cli/packets-command.ts';
import { locked } from '../../src/host/lock.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { PIECE_HEADER } from '../../src/replay/trace/joint.ts';
import { printed, scratchFolder } from '../guests/command-line.ts';
import { captured } from '../packets/pcap.ts';
import { recordedPair } from '../runs/fabric/recorded-pair.ts';
import { OTHERS } from '../packets/dissect/others.ts';
import { runOver } from '../replay/packets/captured-run.ts';

const folder = scratchFolder();
const FRAMES = captured('virtio-net');
const RUN = runOver(folder, 'virtio-net', FRAMES);
/** Bytes of it that have no events yet. */
const BEFORE_EVENTS = openTraceFile(RUN).chunks[0]!.offset + 10;
const FORM = { limit: Number.POSITIVE_INFINITY };

const packets = (form: object = {}, path = RUN): Promise<string> =>
  printed((print) => printPackets(path, { ...FORM, ...form }, { print, flush: () => undefined }));

const numbers = (text: string): number[] => [...text.matchAll(/^ *(\d+) /gm)].map((match) => Number(match[1]));

describe('packets', () => {
  test('prints a line for each, with its time, its event, who sent it to whom and what it says', async () => {
    const text = await packets();
    expect(numbers(text)).toEqual(FRAMES.map((_, packet) => packet));
    expect(text).toContain(' guest > n0: ARP, Request who-has 10.0.2.2 tell 10.0.2.15\n');
    expect(text).toMatch(/^ +13 +0\.\d{9} #\d+ +n0 > guest: ARP, Reply 10.0.2.2 is-at 52:55:0a:00:02:02$/m);
    expect(text).toMatch(/\[P\.\], seq 1:74, ack 1, .* length 73: HTTP: GET \/ HTTP\/1\.1/);
  });

  test.each([
    ['arp', [12, 13, 26, 27]],
    ['dhcp.option.dhcp == 1 || dhcp.option.dhcp == 5', [8, 11]],
    ['ip.src == 10.0.2.15 && tcp.dport == 80 && tcp.len > 0', [31]],
    ['ip.addr == 10.0.2.2 && icmp.type == 0', [15, 17, 19, 23]],
    ['eth.dst == 52:54:00:12:34:56 && arp', [13, 27]],
    ["tcp.flags.syn == 1 && tcp.seq == 0 && client == 'guest'", [28]],
    ['tcp.port == 80 && tcp.flags.syn != 0', [28, 29]],
    ['tcp.port != 80 && udp.port != 67 && (udp || tcp)', []],
    ['http.response.code == 200', [33]],
    ["http.request.uri == '/'", [31]],
    ['packet < 2', [0, 1]],
    ["peer == 'guest' && arp.opcode == 2", [13, 27]],
    ['frame.len > 590', [20, 21, 23, 24]],
    ['!ip && !ipv6', [12, 13, 26, 27]],
  ])('--if %s', async (condition, expected) => {
    const found = numbers(await packets({ condition }));
    expect(found.filter((each) => each < 34)).toEqual(expected);
  });

  test('--if says which name nobody has', async () => {
    await expect(packets({ condition: 'tcp.dprt == 80' })).rejects.toThrow(/No field is named tcp.dprt.*tcp.dport/);
    await expect(packets({ condition: 'tcp.dport ==' })).rejects.toThrow('breaks off');
  });

  test('--json has all fields by their names', async () => {
    const lines = (await packets({ json: true, condition: 'packet == 28' })).trim().split('\n');
    const [syn] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(syn).toMatchObject({
      ...{ packet: 28, client: 'guest', peer: ['n0'], protocols: ['eth', 'ip', 'tcp'], 'ip.dst': '10.0.2.100' },
      ...{ 'tcp.dstport': 80, 'tcp.flags.syn': 1, 'tcp.seq': 0, 'tcp.stream': 0, 'tcp.options.mss_val': 1460 },
    });
  });

  test('-x shows the bytes, --limit ends, a terminal cuts', async () => {
    const text = await packets({ hex: true, limit: 13, condition: 'arp' });
    expect(text).toContain('\t0x0000:  ffff ffff ffff 5254 0012 3456 0806 0001  ......RT..4V....\n');
    expect(numbers(await packets({ limit: 3 }))).toEqual([0, 1, 2]);
    const narrow = await packets({ width: 60 });
    expect(Math.max(...narrow.split('\n').map((line) => line.length))).toBe(60);
  });

  test('says nothing a terminal would obey, and is not longer than a screen', async () => {
    const evil = Uint8Array.from(OTHERS['what is asked for over HTTP']!);
    evil.set(new TextEncoder().encode('/\x1b[2J\u202e'), 58);
    const long = new Uint8Array(9000);
    long.set(OTHERS['what is asked for over HTTP']!);
    long.fill(0x61, 59, 4000);
    long.set(new TextEncoder().encode(' HTTP/1.1\r\n'), 4000);
    long[16] = 0x23;
    const text = await packets({}, runOver(folder, 'evil', [evil, long]));
    expect(text).toContain('GET /\\x1b[2J\\u202e');
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(1100);
  });

  test('shows frames of any length', async () => {
    const frames = [0, 1, 13, 14, 65_535, 70_000].map((length) => new Uint8Array(length).fill(8));
    const text = await packets({ hex: true }, runOver(folder, 'lengths', frames));
    expect(text).toContain('a frame of 13 bytes [cut off or malformed: eth: 13 of its 14 bytes]');
    expect(numbers(text)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('--follow waits for what is still recorded, and tells each once', async () => {
    const path = join(folder, 'growing.trace');
    const whole = readFileSync(RUN);
    writeFileSync(path, whole.subarray(0, 100));
    const release = locked(path);
    setTimeout(() => writeFileSync(path, whole.subarray(0, BEFORE_EVENTS)), 100);
    setTimeout(() => {
      writeFileSync(path, whole);
      release();
    }, 600);
    expect(numbers(await packets({ follow: true }, path))).toEqual(FRAMES.map((_, packet) => packet));
  });

  test('--follow of several machines waits for what another did before', async () => {
    const { path } = recordedPair(folder);
    const whole = readFileSync(path);
    const growing = join(folder, 'growing-pair.trace');
    // Of the first all is there, of the second its trace without events.
    const begun = whole.lastIndexOf('RVJC') + PIECE_HEADER + openTraceFile(`${path}:bob`).chunks[0]!.offset + 10;
    writeFileSync(growing, whole.subarray(0, begun));
    const release = locked(growing);
    setTimeout(() => {
      writeFileSync(growing, whole);
      release();
    }, 300);
    const text = await packets({ follow: true }, growing);
    expect([...text.matchAll(/^(\w+) +\|/gm)].map(([, name]) => name)).toEqual(['alice', 'bob', 'bob', 'alice']);
    expect(text).toBe(await packets({}, path));
  });

  test('--follow ends with a recorder that is gone', async () => {
    const path = join(folder, 'left.trace');
    const whole = readFileSync(RUN);
    writeFileSync(path, whole.subarray(0, BEFORE_EVENTS));
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(numbers(await packets({ follow: true }, path))).toEqual([]);
    expect(said.mock.calls.join('')).toContain('is cut off at byte');
    said.mockRestore();
  });

  test('--fields lists what a condition may name', async () => {
    const text = await printed((print) => printFields(print));
    expect(text).toMatch(/^tcp\.dstport +number +destination$/m);
    expect(text).toMatch(/^tcp\.dport +any +tcp\.dstport$/m);
  });
});

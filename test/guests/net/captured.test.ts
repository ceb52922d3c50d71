import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { exportCapture } from '../../../src/cli/export-command.ts';
import { firstOfLongest, LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { differences, hasData, isGuests, payload } from './beside/conversations.ts';
import { type Frame, framesOf, numberOf, show } from './beside/frames.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SCRIPT = `${readFileSync(new URL('captured.sh', import.meta.url), 'utf8')}poweroff -f\n`;

/** A capture of QEMU's, of which two tests have parts: a connection's headers, and the rest whole. */
function capturedBy(name: string): Frame[] {
  const partIn = (where: string): Frame[] => {
    const path = file(`${name}-${where.replace('/', '-')}.pcap`);
    writeFileSync(path, gunzipSync(readFileSync(new URL(`../../${where}/${name}.pcap.gz`, import.meta.url))));
    return framesOf(path);
  };
  return [...partIn('packets/captured').filter((frame) => !isOfTcp(frame)), ...partIn('net/captured')];
}

const isOfTcp = (frame: Frame): boolean => show(frame, 'tcp.stream') !== undefined;

/** How what a program says comes in pieces hangs on time, here and there: what it all is, is compared by itself. */
function untilItSpeaks(frames: readonly Frame[]): Frame[] {
  const first = frames.findIndex((frame) => isOfTcp(frame) && !isGuests(frame) && hasData(frame));
  return frames.filter((frame, index) => !isOfTcp(frame) || index < first);
}

/** How many bytes it says. */
const said = (frames: readonly Frame[]): number =>
  Math.max(
    ...frames.filter((frame) => !isGuests(frame) && hasData(frame)).map((frame) => numberOf(frame, 'tcp.nxtseq')),
  );

/** So much of each segment is in the captures. */
const KEPT = 74;

/** What QEMU's host said (../shared/golden/io/tools/http.sh). */
const HEAD = 'HTTP/1.0 200 OK\r\nContent-Length: 65536\r\n\r\n';
const PAGE = 65_536;

/** The page, as far as it was captured: what lies between is 0. */
function pageIn(frames: readonly Frame[]): Uint8Array {
  const page = new Uint8Array(PAGE);
  for (const frame of frames.filter((each) => !isGuests(each) && hasData(each))) {
    const at = numberOf(frame, 'tcp.seq') - 1 - HEAD.length;
    if (at >= 0) page.set(payload([frame]), at);
  }
  return page;
}

/** A program that reads a request and answers with that page, as QEMU's did: the head by itself. */
function writeServer(page: Uint8Array): string {
  writeFileSync(file('page'), page);
  const request = `while read l; do l=$(printf %s "$l" | tr -d '\\r'); [ -z "$l" ] && break; done`;
  const head = HEAD.replaceAll('\r', '\\r').replaceAll('\n', '\\n');
  writeFileSync(file('http.sh'), `${request}\nprintf '${head}'\ncat '${file('page')}'\n`);
  return `sh '${file('http.sh')}'`;
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

const CARDS = [
  ['virtio-net', 'virtio-net-pci', 'cloud'],
  ['e1000', 'e1000', 'generic'],
] as const;

describe.each(firstOfLongest(1, CARDS))(
  'what Linux did with QEMU over %s',
  { ...LONG, ...without(noLinux('generic'), tool('tshark'), tool('editcap')) },
  (captured, card, kernel) => {
    test('it does here, frame by frame, with a program of the host at the other end', {
      timeout: 600_000,
    }, async () => {
      const trace = file(`${card}.trace`);
      const theirs = capturedBy(captured);
      const page = pageIn(theirs);
      initramfs(file(`${card}.gz`), SCRIPT, kernel);
      const ran = retrovisor([
        ...['run', ...linuxWith(file(`${card}.gz`), '', kernel), '--trace', trace, '-device', `${card},netdev=n0`],
        ...['-netdev', `user,id=n0,restrict=on,guestfwd=tcp:10.0.2.100:80-cmd:${writeServer(page)}`],
      ]);
      expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('= done') });
      expect(ran.out).toContain(md5(page));
      await printed((print) => exportCapture(trace, { output: file('whole.pcap') }, print));
      const whole = framesOf(file('whole.pcap'));
      for (const [count, frames] of [
        ['tx', whole.filter(isGuests)],
        ['rx', whole.filter((frame) => !isGuests(frame))],
      ] as const) {
        const counted = Number(new RegExp(`${count}_packets (\\d+)\\r?\\n`).exec(ran.out)?.[1]);
        // The program's end is heard before the guest counts, or after it.
        const late = frames.slice(counted);
        expect(counted + late.length).toBe(frames.length);
        expect(late.length).toBeLessThanOrEqual(2);
        expect(late.filter((frame) => !isOfTcp(frame) || hasData(frame))).toEqual([]);
        expect(ran.out).toMatch(new RegExp(`${count}_errors 0\r?\n`));
      }
      execFileSync('editcap', ['-F', 'pcap', '-s', `${KEPT}`, file('whole.pcap'), file('ours.pcap')]);
      const ours = [...whole.filter((frame) => !isOfTcp(frame)), ...framesOf(file('ours.pcap')).filter(isOfTcp)];
      expect(differences(untilItSpeaks(ours), untilItSpeaks(theirs))).toEqual([]);
      expect(said(ours)).toBe(said(theirs));
      expect(retrovisor(['replay', trace]).out).toContain(' 0 divergences');
    });
  },
);

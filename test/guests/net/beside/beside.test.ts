import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exportCapture } from '../../../../src/cli/export-command.ts';
import { fold, rerun } from '../../../../src/cli/replay-commands.ts';
import { readCapture } from '../../../../src/packets/capture-file.ts';
import { firstOfLongest, LONG } from '../../../how-long.ts';
import { type Aside, PLAIN_LANGUAGE, tool, without } from '../../../stepping-aside.ts';
import { noGuests, printed, retrovisor, scratchFolder } from '../../command-line.ts';
import { initramfs, noLinux, noTools } from '../../linux/initramfs.ts';
import { differences, GUEST, headersAlone, hostsIds, isGuests } from './conversations.ts';
import { type Frame, framesOf } from './frames.ts';
import { type Held, onOurs, onQemu, prepare } from './machines.ts';

const folder = scratchFolder();
const SCRIPT = readFileSync(new URL('guest.sh', import.meta.url), 'utf8');

/** What is not compared of what a guest printed, and why. */
const NOT_SAID: readonly { readonly why: string; readonly line: RegExp }[] = [
  { why: 'SeaBIOS turned system management mode on, which this KVM has not', line: /^70: 00 00 (0a|02)( 00){13}$/ },
];

/** The monitor speaks in between; and what a card counts is compared with what its wire has seen. */
const NOT_COMPARED = ['pull', 'plug', 'counts before', 'counts after', 'done'];

/** What tshark says of an upload whose host took it less fast: no error. */
const SLOW_HOST = 'TCP window update';

const ROMS = ['bios-256k.bin', 'kvmvapic.bin', 'efi-e1000.rom', 'efi-virtio.rom'];

function noNamespaces(): Aside | undefined {
  if (spawnSync('unshare', ['-rnm', 'true']).status === 0) return undefined;
  return { what: 'namespaces', why: 'This user may not make any (unshare -rnm).', kind: 'host' };
}

const missing = [noLinux('generic'), noTools(), noGuests(...ROMS), tool('qemu-system-x86_64'), tool('python3')];

const said = ({ said: parts }: Held): Record<string, readonly string[]> =>
  Object.fromEntries(
    [...parts]
      .filter(([name]) => !NOT_COMPARED.includes(name))
      .map(([name, part]) => [name, part.split('\n').filter((line) => !NOT_SAID.some((not) => not.line.test(line)))]),
  );

const tshark = (...args: readonly string[]): string =>
  execFileSync('tshark', args, { encoding: 'utf8', env: PLAIN_LANGUAGE, stdio: ['ignore', 'pipe', 'ignore'] });

/** What tshark's expert says of a capture's packets, but the comments of an export. */
const expertOf = (capture: string): string[] =>
  tshark('-r', capture, '-T', 'fields', '-E', 'aggregator=|', '-e', '_ws.expert.message', '-Y', '_ws.expert')
    .split(/[\n|]/)
    .filter((message) => message !== '' && !/^packet \d+ #/.test(message))
    // How many acknowledgments come before other data hangs on time.
    .map((message) => message.replace(/ \(#\d+\)$/, ''));

const CASES = [
  ['virtio-net-pci', 'cloud'],
  ['e1000', 'generic'],
] as const;

const OPTIONS = { ...LONG, ...without(...missing, tool('tshark'), noNamespaces()) };

describe.each(firstOfLongest(1, CASES))("Debian's driver of %s, on ours and on QEMU 7.2", OPTIONS, (card, kernel) => {
  let ours: Held;
  let theirs: Held;
  let frames: { readonly ours: readonly Frame[]; readonly theirs: readonly Frame[] };

  beforeAll(() => {
    prepare(folder);
    const machine = { card, kernel, folder, initramfs: join(folder, `${card}.gz`) };
    initramfs(machine.initramfs, SCRIPT, kernel, { tools: true });
    ours = onOurs(machine);
    theirs = onQemu(machine);
    frames = { ours: framesOf(ours.capture), theirs: framesOf(theirs.capture) };
  }, 1_800_000);

  test('finds the same by lspci and ethtool, has the same leases and answers, sees the link go and come', () => {
    expect(said(ours)).toEqual(said(theirs));
    expect(ours.said.get('pulled')).toMatch(/NO-CARRIER[\s\S]*down/);
    expect(ours.said.get('plugged')).toMatch(/LOWER_UP[\s\S]*up\n[\s\S]*1 packets received/);
    expect(ours.said.get('dhcpcd')).toContain('leased 10.0.2.15');
    expect(ours.said.get('ipconfig')).toContain("IPV4ADDR='10.0.2.15'");
  });

  test('says and is told the same, frame by frame', () => {
    expect(differences(frames.ours, frames.theirs)).toEqual([]);
    process.stdout.write(`${card}: ${frames.ours.length} frames on ours, ${frames.theirs.length} on QEMU\n`);
    expect(frames.ours.length).toBeGreaterThan(600);
    // A bit that falls over anywhere is found.
    for (const [index, frame] of frames.ours.entries()) {
      if (index % 50 !== 0) continue;
      const bytes = frame.bytes.map((byte, at) => (at === frame.bytes.length - 1 ? byte ^ 1 : byte));
      const one = frames.ours.map((each) => (each === frame ? { ...frame, bytes } : each));
      expect(differences(one, frames.theirs), `frame ${index}`).not.toEqual([]);
    }
  });

  test.each(['ours', 'theirs'] as const)('counts what is on the wire: %s', (whose) => {
    const all = frames[whose];
    const ids = hostsIds(all);
    expect(ids).toEqual(ids.map((_, index) => ids[0]! + index));
    expect(ids[0]).toBe(0);
    const counted = (name: string): number =>
      Number(
        new RegExp(`^${name} (\\d+)$`, 'm').exec((whose === 'ours' ? ours : theirs).said.get('counts after')!)?.[1],
      );
    const [sent, taken] = [all.filter(isGuests), all.filter((frame) => !isGuests(frame))];
    const alone = headersAlone(all);
    process.stdout.write(
      `${card}, ${whose}: ${sent.length} sent, ${taken.length} taken, ${alone.length} headers alone\n`,
    );
    expect(counted('tx_packets')).toBe(sent.length - alone.length);
    expect(counted('rx_packets')).toBe(taken.length);
    expect(alone.length > 0).toBe(card === 'e1000');
  });

  test('is exported as it was on the wire', async () => {
    const output = join(folder, `${card}.pcapng`);
    await printed((print) => exportCapture(join(folder, `${card}.trace`), { output }, print));
    const exported = readCapture(output, new Uint8Array(readFileSync(output)));
    expect(exported.map(({ bytes }) => bytes)).toEqual(frames.ours.map(({ bytes }) => bytes));
    const guests = tshark('-r', output, '-Y', `eth.src == ${GUEST}`, '-T', 'fields', '-e', 'frame.len');
    expect(guests.trim().split('\n')).toHaveLength(frames.ours.filter(isGuests).length);
    // And tshark says nothing of it that it does not say of QEMU's.
    const warnings = new Set(expertOf(theirs.capture));
    expect(expertOf(output).filter((message) => message !== SLOW_HOST && !warnings.has(message))).toEqual([]);
    expect(tshark('-r', output, '-Y', '_ws.malformed')).toBe('');
    expect(warnings.has('Connection reset (RST)')).toBe(true);
  });

  test('comes out again, with the processor and without', async () => {
    const trace = join(folder, `${card}.trace`);
    expect(retrovisor(['replay', trace]).out).toContain(' 0 divergences');
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
  }, 1_800_000);
});

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exportCapture } from '../../src/cli/export-command.ts';
import { printPackets } from '../../src/cli/packets-command.ts';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { type DebugSession, openDebugSession } from '../../src/debugger/session.ts';
import { describeMonitor } from '../../src/gdb/monitor.ts';
import { subjectOf } from '../../src/gdb/subject.ts';
import { NODE } from '../../src/host/node.ts';
import { readCapture } from '../../src/packets/capture-file.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { LONG } from '../how-long.ts';
import { PLAIN_LANGUAGE, tool, without } from '../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from './command-line.ts';
import { initramfs, linuxWith, noLinux } from './linux/initramfs.ts';

const folder = scratchFolder();
const trace = join(folder, 'net.trace');
const dump = join(folder, 'net.pcap');

/** A lease, an echo, and two questions of DNS: the second is written when its way is known. */
const SCRIPT = [
  'network',
  'ip link set eth0 up',
  `echo '#!/bin/sh' > /lease`,
  `echo '[ "$1" = bound ] && ip addr add $ip/24 dev eth0 && ip route add default via $router; exit 0' >> /lease`,
  'chmod +x /lease',
  'udhcpc -i eth0 -n -q -s /lease',
  'ping -c 1 10.0.2.2',
  'nslookup nowhere.example 10.0.2.3',
  'cd /sys/class/net/eth0/statistics && echo COUNTED $(cat tx_packets tx_bytes rx_packets rx_bytes)',
  'poweroff -f',
  '',
];

type Json = Record<string, unknown>;

describe('packets of Debian behind virtio-net', { ...LONG, ...without(noLinux()) }, () => {
  let recorded: RecordedTimeline;
  let session: DebugSession;
  let all: Json[];
  let console: string;
  const ask = (line: string): string => answerPrompt(session, line);

  beforeAll(async () => {
    const guest = linuxWith(initramfs(join(folder, 'net.gz'), SCRIPT.join('\n')));
    const network = ['-netdev', 'user,id=n0', '-device', 'virtio-net-pci,netdev=n0'];
    const dumped = ['-object', `filter-dump,id=f0,netdev=n0,file=${dump}`];
    const ran = retrovisor(['run', ...guest, ...network, ...dumped, '--wall-clock', '1700000000', '--trace', trace]);
    expect(ran.status).toBe(0);
    console = ran.out;
    const form = { json: true, limit: Number.POSITIVE_INFINITY };
    const text = await printed((print) => printPackets(trace, form, { print, flush: () => undefined }));
    all = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    recorded = openTimeline(openRecordedRun(NODE, trace, {}));
    session = openDebugSession(recorded);
    ask('at end');
    ask('kallsyms');
    return () => recorded.close();
  });

  const numberOf = (has: Json): number =>
    all.find((packet) => Object.entries(has).every(([name, value]) => packet[name] === value))!['packet'] as number;
  const asked = (): number => numberOf({ 'dns.qry.type': 28, 'dns.flags.response': 0 });
  const answered = (): number => numberOf({ 'dns.qry.type': 28, 'dns.flags.response': 1 });

  test('are those the dump has, and the export, whole', without(tool('tshark')), async () => {
    const capture = join(folder, 'net.pcapng');
    await printed((print) => exportCapture(trace, { output: capture }, print));
    const frames = [dump, capture].map((file) => readCapture(file, new Uint8Array(readFileSync(file))));
    expect(frames[0]!.map(({ bytes }) => bytes)).toEqual(frames[1]!.map(({ bytes }) => bytes));
    expect(frames[1]!.map(({ bytes }) => bytes.length)).toEqual(all.map((packet) => packet['frame.len']));
    const bad = execFileSync('tshark', ['-r', capture, '-Y', '_ws.malformed || _ws.expert.severity >= 0x600000'], {
      ...{ encoding: 'utf8', env: PLAIN_LANGUAGE, stdio: ['ignore', 'pipe', 'ignore'] },
    });
    expect(bad).toBe('');
  });

  test('are as many as the guest counts', () => {
    const [, ...counted] = /COUNTED (\d+) (\d+) (\d+) (\d+)/.exec(console)!.map(Number);
    const from = (address: string, isFrom: boolean) =>
      all.filter((packet) => (packet['eth.src'] === address) === isFrom);
    const bytesOf = (some: readonly Json[]) => some.reduce((sum, packet) => sum + (packet['frame.len'] as number), 0);
    const [sent, taken] = [true, false].map((isFrom) => from('52:54:00:12:34:56', isFrom));
    expect(counted).toEqual([sent!.length, bytesOf(sent!), taken!.length, bytesOf(taken!)]);
  });

  test('tell which write() sent them, and through what they went', () => {
    const way = ask(`why packet:${asked()}`);
    expect(way).toMatch(/^From an application:\n {2}write \(1\) at 0x\w+ of vcpu0, tick \d+, \d+\.\d{3} us before/m);
    expect(way).toMatch(/^guest: 0xffffffff\w+ <iowrite16\+0x\w+> of vcpu0 #\d+$/m);
    expect(way).toMatch(
      /kvm_exit: reason EPT_MISCONFIG[\s\S]*sim:device_notified[\s\S]*sim:packet_sent[\s\S]*Answered by:/,
    );
  });

  test('tell which read() got them', () => {
    const way = ask(`why packet:${answered()}`);
    expect(way).toMatch(/^To a processor:\n.*kvm_msi_set_irq[\s\S]*kvm_inj_virq/m);
    // A header, a name of 15 characters and a length before each of its labels: what tshark calls dns.length.
    const length = 12 + 17 + 4;
    expect(way).toMatch(new RegExp(`read \\(0\\) at 0x\\w+ of vcpu0 reads it\\n.*it returns ${length}, tick`));
  });

  test("are found by what they say, at the prompt and in gdb's monitor", () => {
    ask('at start');
    const found = ask("find next break packet if dns.qry.name == 'nowhere.example' && dns.qry.type == 28");
    expect(found).toContain(`sim:packet_sent: virtio-net-pci.0 packet ${asked()} `);
    const answer = describeMonitor(subjectOf(recorded), 0, `why packet:${asked()}`);
    let step = answer.next();
    while (step.done !== true) step = answer.next();
    expect(step.value).toContain('write (1)');
  });

  test('are counted at any moment', () => {
    ask('at end');
    const sent = all.filter(({ client }) => client === 'n0').length;
    expect(ask('netq')).toContain(`n0: user, wire to virtio-net-pci.0\n    Sent:    ${sent} packets`);
    expect(ask('info network')).toMatch(
      /^virtio-net-pci\.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56\n/,
    );
    ask('at start');
    expect(ask('netq')).toContain('    Sent:    0 packets');
  });
});

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { LONG } from '../../how-long.ts';
import { PLAIN_LANGUAGE, tool, without } from '../../stepping-aside.ts';
import { guestFile, printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, noLinux } from '../linux/initramfs.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SERVER = '10.9.0.11';

const prelude = (address: string): string => `network
ip link set lo up; ip link set eth0 up; ip addr add ${address}/24 dev eth0
`;

/** Asks the other for an answer, a file and a place for one. */
const CLIENT = `${prelude('10.9.0.10')}
sleep 2
ping -c 2 ${SERVER} | grep transmitted
wget -q -O /got http://${SERVER}/busybox; md5sum < /got
nc ${SERVER} 2000 < /got
cat /sys/class/net/eth0/address
poweroff -f
`;

const SERVING = `${prelude(SERVER)}
mkdir /www; cp /bin/busybox /www/busybox; httpd -p 80 -h /www
nc -l -p 2000 | md5sum
cat /sys/class/net/eth0/address
poweroff -f
`;

const MACHINES = { client: CLIENT, server: SERVING };

function machineFile(): string {
  const machines = Object.entries(MACHINES).map(([name, script]) => [
    name,
    { initrd: initramfs(file(`${name}.gz`), script) },
  ]);
  const common = {
    ...{ kernel: guestFile('vmlinuz'), m: 256, nodefaults: true, serial: 'stdio' },
    append: 'console=ttyS0 panic=-1 quiet cryptomgr.notests=1 rdinit=/script',
    ...{ netdev: 'frames,id=n0', device: 'virtio-net-pci,netdev=n0' },
  };
  const cables = [{ between: ['client:n0', 'server:n0'] }];
  const path = file('machines.json');
  writeFileSync(path, JSON.stringify({ common, machines: Object.fromEntries(machines), cables }));
  return path;
}

const record = (trace: string, ...more: string[]) =>
  retrovisor([
    ...['run', '--machine', file('machines.json'), '--trace', trace, '--seed', '1'],
    ...['--wall-clock', '1700000000', ...more],
  ]);

/** What a machine's trace is, whenever its chunks were written. */
const eventsOf = (trace: string): string =>
  createHash('sha256')
    .update(retrovisor(['events', trace, '--limit', '100000000']).out)
    .digest('hex');

describe('two Linux machines on a cable', { ...LONG, ...without(noLinux()) }, () => {
  const trace = file('two.trace');
  let ran: ReturnType<typeof record>;

  beforeAll(() => {
    machineFile();
    ran = record(trace, '--checkpoints');
  }, 600_000);

  test('speak to each other, each with its name before what it prints', () => {
    const md5 = /client \| ([\da-f]{32}) {2}-/.exec(ran.out)?.[1];
    expect(ran.status).toBe(0);
    expect(ran.out).toContain('client | 2 packets transmitted, 2 packets received, 0% packet loss');
    expect(md5).toBe(/server \| ([\da-f]{32}) {2}-/.exec(ran.out)?.[1]);
    expect(ran.out).toContain('client | 52:54:00:12:34:56');
    expect(ran.out).toContain('server | 52:54:00:12:34:57');
  });

  test('are verified as a whole, and each alone', async () => {
    const verified = retrovisor(['verify', trace]);
    expect(verified).toMatchObject({ status: 0, out: expect.stringMatching(/equal {2}\d{3,} frames between/) });
    for (const name of Object.keys(MACHINES)) {
      const own = `${trace}:${name}`;
      expect(await printed((print) => rerun(own, {}, print))).toContain(' 0 divergences');
      expect(await printed((print) => fold(own, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    }
  }, 600_000);

  test('are the same run again, however the host ran them; and another with another seed', () => {
    record(file('again.trace'));
    for (const name of Object.keys(MACHINES)) {
      expect(eventsOf(`${file('again.trace')}:${name}`)).toBe(eventsOf(`${trace}:${name}`));
    }
  }, 600_000);

  test('of a recording that says something else was sent, that is said', () => {
    const bytes = readFileSync(trace);
    // The last piece of the client's: the server was given what nobody sent then.
    const cut = file('cut.trace');
    writeFileSync(cut, bytes.subarray(0, Math.floor(bytes.length * 0.9)));
    const verified = retrovisor(['verify', cut]);
    expect(verified.status).not.toBe(0);
  }, 600_000);

  test('are gone back through from what one read to what the other wrote', () => {
    const asked = ['packets', `${trace}:server`, '--if', 'tcp.dport == 2000 && tcp.len > 0', '--json', '-n', '1'];
    const { packet } = JSON.parse(retrovisor(asked).out) as { packet: number };
    const debug = (...commands: string[]) =>
      retrovisor(['debug', `${trace}:server`, '--batch', ...commands.flatMap((command) => ['--ex', command])]).out;
    expect(retrovisor(['info', `${trace}:server`]).out).toMatch(/^[1-9]\d* checkpoints in /m);
    const way = debug(`why packet:${packet}`);
    const wrote = /^client \| {3}write \(1\) at 0x[\da-f]+ of vcpu0, tick (\d+)/m.exec(way);
    const gone = /^client \| .*sim:frame_left: dev frames#0/m.exec(way);
    const came = /^server \| +\+50\.000 us +#(\d+) .*sim:frame_received: dev frames#0/m.exec(way);
    const read =
      /^server \| .*: read \(0\) at 0x[\da-f]+ of vcpu0 reads it\nserver \| .*it returns \d+, tick (\d+)$/m.exec(way);
    const places = [wrote, gone, came, read].map((found) => found?.index ?? -1);
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    expect(places).not.toContain(-1);
    // From the answer of one machine to the instruction of the other: its write() is about to be executed.
    const there = debug(`at ${read![1]}`, 'vm client', `at ${wrote![1]}`);
    expect(there).toMatch(/client @\d+ns: tick \d+/);
    expect(there).toMatch(/=> 0x[\da-f]+: 0f 05 +syscall\n$/);
    const chain = retrovisor(['events', `${trace}:server`, '--chain', came![1]!, '-n', '6']).out;
    expect(chain.split('\n')[0]).toMatch(/^client \| .*kvm_exit: reason EPT_MISCONFIG/);
  }, 600_000);

  test('are one capture, of which tshark finds nothing amiss where one of them stands', without(tool('tshark')), () => {
    const [all, one] = [file('all.pcapng'), file('one.pcapng')];
    expect(retrovisor(['export', trace, '--pcapng', '-o', all]).status).toBe(0);
    const tshark = (...args: string[]): string =>
      execFileSync('tshark', args, { encoding: 'utf8', env: PLAIN_LANGUAGE });
    tshark('-r', all, '-Y', 'frame.interface_name matches "^client:"', '-w', one);
    const said = tshark('-r', one, '-q', '-z', 'expert');
    expect(said).toContain('GET /busybox HTTP/1.1');
    expect(said).not.toMatch(/out-of-order|retransmission|Malformed/);
  });

  test('are told apart by name', () => {
    expect(retrovisor(['info', trace]).out).toContain(`${trace}:server`);
    expect(retrovisor(['packets', trace, '--vm', 'server', '--limit', '1']).status).toBe(0);
    expect(retrovisor(['packets', trace, '--limit', '1']).out).toMatch(/^(client|server) \| /);
    expect(retrovisor(['disk', trace])).toMatchObject({ status: 1, err: expect.stringContaining('say which') });
    expect(retrovisor(['packets', `${trace}:nobody`]).err).toContain('holds no machine nobody');
  });
});

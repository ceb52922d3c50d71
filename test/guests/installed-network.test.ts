import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { knownHosts } from '../../src/net/world/ssh/host-key.ts';
import type { Service } from '../../src/net/world/world.ts';
import { LONG } from '../how-long.ts';
import { type Aside, tool, without } from '../stepping-aside.ts';
import { guestFile, haveGuests, type Ran, retrovisor, scratchFolder } from './command-line.ts';
import { bytesOf } from './net/world.ts';
import { writeRepository } from './net/repository.ts';
import { answer, loggedIn, PROMPT, type Said, typed } from './sessions.ts';
import { expectFolds, expectReruns } from './trace-alone.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

/** What the guest's clock begins with, in seconds; the repository was made a day before. */
const TIME = 1_700_000_000;
const DAY = 86_400;

const NO_DISK: Aside | undefined = haveGuests('bios-256k.bin', 'debian.raw', 'disk.json')
  ? undefined
  : { what: 'an installed Debian', why: 'It is not here: `npm run guests -- disk` makes it.', kind: 'tool' };

interface Made {
  readonly toServe?: Readonly<Record<string, string>>;
}

/** The packages that `npm run guests -- disk` fetched to be served: the first needs the others. */
function packagesToServe(): readonly string[] {
  const { toServe = {} } = JSON.parse(readFileSync(guestFile('disk.json'), 'utf8')) as Made;
  const fetched = readdirSync(guestFile('packages'));
  return Object.keys(toServe).map((name) =>
    join(guestFile('packages'), fetched.find((each) => each.startsWith(`${name}_`))!),
  );
}

const BIG = bytesOf(256 * 1024);

/** A mirror with packages and a file, and a peer that lets in who has a key or knows a password. */
function writeWorld(): string {
  mkdirSync(file('web'), { recursive: true });
  writeRepository(file('web/debian'), packagesToServe(), new Date((TIME - DAY) * 1000));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'root@retrovisor', '-f', file('id')]);
  writeFileSync(file('web/big'), BIG);
  cpSync(file('web/debian/key.asc'), file('web/key.asc'));
  cpSync(file('id'), file('web/id'));
  const ssh: Service = {
    kind: 'ssh',
    port: 22,
    users: [
      { name: 'root', keys: [readFileSync(file('id.pub'), 'utf8').trim()] },
      { name: 'admin', password: 'secret' },
    ],
    commands: [
      { command: 'uname -n', output: 'peer\n' },
      { command: 'fail', errors: 'it is broken\n', status: 3 },
      { command: 'sha256sum', does: 'hash' },
    ],
  };
  const peer = { name: 'peer.test', addresses: ['10.0.2.101'], services: [ssh] };
  const web = [{ kind: 'http', port: 80, folder: 'web' }];
  const hosts = [{ name: 'mirror.test', addresses: ['10.0.2.100'], services: web }, peer];
  writeFileSync(file('web/known_hosts'), `${knownHosts({ hosts: [peer] }).join('\n')}\n`);
  writeFileSync(file('world.json'), JSON.stringify({ hosts }));
  return file('world.json');
}

const ROUTE = 'until ip route | grep ^default; do sleep 1; done';
const CARD = 'readlink /sys/class/net/e*/device/driver';
const FAILED = 'systemctl --failed --no-legend --no-pager';
const FILE = 'curl -sS http://mirror.test/big | sha256sum';
const MISSING = 'curl -sSf http://mirror.test/nothing; echo $?';
const INSTALL = 'apt-get -qy install jq';
const PROGRAM = `echo '{"a":[1,2]}' | jq -c .a`;
const RUNS = 'ssh root@peer.test uname -n';
const FAILS = 'ssh root@peer.test fail; echo $?';
const PIPED = 'curl -sS http://mirror.test/big | ssh root@peer.test sha256sum';
const ENTERS = 'ssh admin@peer.test';
const STATUS = 'echo $?';

const SESSION: readonly Said[] = [
  ...loggedIn(
    ...[ROUTE, CARD, 'systemctl is-system-running --wait', FAILED, 'cat /etc/resolv.conf', 'ip -br address'],
    ...[FILE, MISSING, 'curl -sSo /etc/apt/key.asc http://mirror.test/key.asc'],
    "echo 'deb [signed-by=/etc/apt/key.asc] http://mirror.test/debian ./' > /etc/apt/sources.list",
    ...['apt-get -q update', INSTALL, PROGRAM, 'mkdir -m 700 .ssh; cd .ssh'],
  ),
  ...['curl -sSO http://mirror.test/known_hosts', 'curl -sSo id_ed25519 http://mirror.test/id', 'chmod 600 id_*'].map(
    (text) => ({ after: '~/.ssh# ', text }),
  ),
  { after: '~/.ssh# ', text: 'cd' },
  ...[RUNS, FAILS, PIPED, ENTERS].map((text) => ({ after: PROMPT, text })),
  { after: 'password: ', text: 'secret' },
  ...['uname -n', 'exit 7'].map((text) => ({ after: '$ ', text })),
  ...[STATUS, 'poweroff'].map((text) => ({ after: PROMPT, text })),
];

function expectReplays(trace: string): void {
  const { out, err, status } = retrovisor(['replay', trace], '', 90);
  expect(out + err).toContain('0 divergences');
  expect(status).toBe(0);
}

/** What it all is about, by the events. */
function expectTold(trace: string): void {
  const told = (kind: string): string => retrovisor(['events', trace, '--event', kind]).out;
  expect(told('sim:http_request')).toMatch(/GET \/debian\/\.?\/?jq_\S+ 200/);
  expect(told('sim:ssh_ran')).toMatch(/'uname -n' status 0[\s\S]*'fail' status 3[\s\S]*'exit 7' status 7/);
  expect(told('sim:ssh_heard')).toContain('USERAUTH_REQUEST admin password');
}

/** Five minutes of a processor, of which others may leave little. */
const IN_TIME = { timeout: 90 * 60_000 };

describe('an installed Debian on a network', { ...LONG, ...IN_TIME, ...without(NO_DISK) }, () => {
  const lacks = without(tool('gpg'), tool('dpkg-deb'), tool('ssh'));

  test('comes to it by itself, installs a package, fetches a file, and goes to a peer by ssh', lacks, async () => {
    const trace = file('run.trace');
    const ran: Ran = retrovisor(
      [
        ...['run', '-bios', guestFile('bios-256k.bin'), '-m', '512', '-nodefaults', '-serial', 'stdio'],
        ...['-drive', `file=${guestFile('debian.raw')},format=raw,if=virtio`, '-display', 'none'],
        ...['-netdev', `user,id=n0,world=${writeWorld()}`, '-device', 'virtio-net-pci,netdev=n0'],
        ...['--wall-clock', `${TIME}`, '--trace', trace, ...typed(SESSION)],
      ],
      '',
      90,
    );
    const said = (command: string): string => answer(ran.out, command).join('\n');
    process.stdout.write(`${ran.err.split('\n').find((line) => line.includes('instructions'))}\n`);
    expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('reboot: Power down') });
    expect(said(ROUTE)).toMatch(/^default via 10\.0\.2\.2 dev e\w+/);
    expect(said(CARD)).toContain('/virtio_net');
    expect(said('systemctl is-system-running --wait')).toBe('running');
    expect(said(FAILED)).toBe('');
    expect(said('cat /etc/resolv.conf')).toContain('nameserver 10.0.2.3');
    expect(said('ip -br address')).toMatch(/^e\w+ +UP +10\.0\.2\.15\/24/m);

    const sum = createHash('sha256').update(BIG).digest('hex');
    expect(said(FILE)).toBe(`${sum}  -`);
    expect(said(MISSING)).toMatch(/error: 404\n22$/);
    expect(said('apt-get -q update')).toMatch(/^Get:1 http:\/\/mirror\.test\/debian \.\/ InRelease/);
    expect(said('apt-get -q update')).not.toMatch(/^[WE]:/m);
    expect(said(INSTALL)).toMatch(/Setting up libonig5[\s\S]*Setting up libjq1[\s\S]*Setting up jq/);
    expect(said(PROGRAM)).toBe('[1,2]');

    expect(said(RUNS)).toBe('peer');
    expect(said(FAILS)).toBe('it is broken\n3');
    expect(said(PIPED)).toBe(`${sum}  -`);
    expect(said(ENTERS)).toMatch(/password: \n\$ uname -n\npeer\n\$ exit 7\n/);
    expect(said(STATUS)).toBe('7');
    expectTold(trace);
    expectReplays(trace);
    expectFolds(trace);
    await expectReruns(trace);
  });
});

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { DebianKernel } from '../../../scripts/guests/initramfs.ts';
import { openTrace, type Stamped } from '../../../src/api/index.ts';
import { EXIT } from '../../../src/x86/exit-reasons.ts';
import { LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

const COUNT = 16;

/** Cycles of 2 GHz between two: the device's thread has dealt with one long before the next. */
const APART = 200_000;

/** How long the world's answers take: longer than all questions. */
const LATENCY = '200ms';

/** Linux's `MSR_IA32_TSC_DEADLINE`. */
const TSC_DEADLINE = 0x6e0n;

const udp = (): string => {
  const flags = ['-Os', '-s', '-static', '-nostdlib', '-ffreestanding', '-fno-stack-protector', '-no-pie'];
  execFileSync('gcc', [...flags, '-o', file('udp'), fileURLToPath(new URL('udp.c', import.meta.url))]);
  return readFileSync(file('udp')).toString('base64').replaceAll(/.{76}/g, '$&\n');
};

/** What the guest does before. `parameters`: of the module. */
const begun = (parameters: string): string[] => [
  'for module in /network/*.ko; do case $module in',
  `*virtio_net.ko) insmod $module ${parameters};; *) insmod $module;; esac; done`,
  'ip link set lo up; ip link set eth0 up; sleep 3; ip addr add 10.0.2.15/24 dev eth0',
  'ping -q -c 1 10.0.2.100 > /dev/null',
];

/** All events of what a guest with a card does. */
async function told(card: string, kernel: DebianKernel, script: readonly string[]): Promise<readonly Stamped[]> {
  const services = ['echo', 'discard'].map((kind, at) => ({ kind, port: at === 0 ? 7 : 9, protocol: 'udp' }));
  const world = { hosts: [{ addresses: ['10.0.2.100'], link: { latency: LATENCY }, services }] };
  writeFileSync(file('world.json'), JSON.stringify(world));
  initramfs(file('card.gz'), [...script, 'poweroff -f', ''].join('\n'), kernel);
  const ran = retrovisor([
    ...['run', ...linuxWith(file('card.gz'), '', kernel), '--wall-clock', '1700000000', '--trace', file('card.trace')],
    ...['-netdev', `user,id=n0,world=${file('world.json')}`, '-device', `${card},netdev=n0`],
  ]);
  expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('= 0') });
  return lastValueFrom(openTrace(file('card.trace')).events$.pipe(toArray()));
}

/** Packets of more than a ping's length, or as long as one, as the card sends or takes them. */
const isOf =
  (kind: 'sim:packet_sent' | 'sim:packet_delivered', client: string, length: number) =>
  ({ event }: Stamped): boolean =>
    event.kind === kind && event.client === client && lengthOf(event) === length;

const lengthOf = (event: { readonly bytes: Uint8Array } | { readonly len: number }): number =>
  'len' in event ? event.len : event.bytes.length;

/** Events from the first for which something holds to the last: that one, but not the first. */
function between(events: readonly Stamped[], holds: (stamped: Stamped) => boolean): readonly Stamped[] {
  const first = events.findIndex(holds);
  return events.slice(first + 1, events.findLastIndex(holds) + 1);
}

/** What makes a timer go, and go off: a guest's clock has its exits whatever it does. */
const isTimers = (event: Stamped['event']): boolean =>
  event.kind === 'kvm_exit' &&
  (event.exit_reason === EXIT.PREEMPTION_TIMER ||
    (event.exit_reason === EXIT.MSR_WRITE && event.a0 === TSC_DEADLINE) ||
    event.exit_reason === EXIT.HLT);

const NAMES = new Map<number, string>(Object.entries(EXIT).map(([name, number]) => [number, name]));

/** How often a guest was left, and why, but for its clock, and as it waits for something to do. */
function exitsOf(events: readonly Stamped[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { event } of events) {
    if (event.kind !== 'kvm_exit' || isTimers(event)) continue;
    const name = NAMES.get(event.exit_reason)!;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** 64 bytes of UDP in IPv4 in Ethernet. */
const DATAGRAM = 106;

describe('a datagram at a time over virtio-net', { ...LONG, ...without(noLinux(), tool('gcc')) }, () => {
  const script = (parameters: string): string[] => [
    ...begun(parameters),
    `base64 -d > /tmp/udp <<E\n${udp()}\nE`,
    'chmod +x /tmp/udp',
    `/tmp/udp ${COUNT} ${APART} 0; echo = $?`,
    'sleep 1',
    `/tmp/udp ${COUNT} ${10 * APART} 1; echo = $?`,
  ];
  const CARD = 'virtio-net-pci.0';

  /** Those that go to port 9, and the answers of port 7. */
  async function run(parameters: string): Promise<readonly [sent: readonly Stamped[], taken: readonly Stamped[]]> {
    const events = await told('virtio-net-pci', 'cloud', script(parameters));
    const sends = isOf('sim:packet_sent', CARD, DATAGRAM);
    const isToDiscard = (stamped: Stamped): boolean =>
      sends(stamped) && 'bytes' in stamped.event && (stamped.event.bytes as Uint8Array)[37] === 9;
    return [between(events, isToDiscard), between(events, isOf('sim:packet_delivered', CARD, DATAGRAM))];
  }

  test('costs an exit to send and none to take, where no interrupt is asked for what was sent', async () => {
    const [sent, taken] = await run('napi_tx=0');
    expect(exitsOf(sent)).toEqual({ EPT_MISCONFIG: COUNT - 1 });
    expect(exitsOf(taken)).toEqual({});
    const interrupts = taken.filter(({ event }) => event.kind === 'kvm_inj_virq' || event.kind === 'kvm_msi_set_irq');
    expect(interrupts.length).toBeGreaterThanOrEqual(COUNT - 1);
    expect([...sent, ...taken].filter(({ event }) => event.kind === 'kvm_userspace_exit')).toEqual([]);
  });

  test('costs an interrupt more to send as Linux asks for one, which takes the guest out', async () => {
    const [sent, taken] = await run('');
    // One that comes while the guest takes none waits for a window.
    const { INTERRUPT_WINDOW = 0, ...exits } = exitsOf(sent);
    expect(exits).toEqual({ EPT_MISCONFIG: COUNT - 1, EXTERNAL_INTERRUPT: COUNT - 1 });
    expect(INTERRUPT_WINDOW).toBeLessThan(COUNT / 2);
    expect(exitsOf(taken)).toEqual({});
  });
});

/** Registers of an 82540EM (Intel, 8254x software developer's manual, 13.3). */
const REGISTERS: Readonly<Record<number, string>> = {
  ...{ 0x0008: 'STATUS', 0x00c0: 'ICR', 0x00d0: 'IMS', 0x00d8: 'IMC', 0x2818: 'RDT', 0x3818: 'TDT' },
};

test('an echo over an e1000 costs seven exits', { ...LONG, ...without(noLinux('generic')) }, async () => {
  const script = [...begun(''), `ping -q -c ${COUNT} -i 0.01 10.0.2.2 > /dev/null; echo = $?`];
  const events = await told('e1000', 'generic', script);
  const isEcho = isOf('sim:packet_sent', 'e1000.0', 98);
  // The first ping was another one's; behind the second the driver is done with what came before.
  const echoes = events.flatMap((stamped, at) => (isEcho(stamped) ? [at] : [])).slice(2);
  const registers = echoes.slice(1).map((to, at) =>
    events
      .slice(echoes[at]! + 1, to + 1)
      .flatMap(({ event }) =>
        event.kind === 'kvm_exit' && event.exit_reason === EXIT.EPT_MISCONFIG ? [event.gpa] : [],
      )
      .map((gpa) => REGISTERS[Number(gpa) & 0x1_ffff] ?? 'another')
      .sort(),
  );
  // Linux looks after the card every two seconds.
  const usual = registers.filter((each) => !each.includes('another'));
  expect(usual.length).toBeGreaterThanOrEqual(COUNT - 3);
  for (const each of usual) expect(each).toEqual(['ICR', 'IMC', 'IMS', 'RDT', 'STATUS', 'STATUS', 'TDT']);
});

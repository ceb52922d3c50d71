import { describe, expect, test } from 'vitest';
import { NET_QUEUES, NETWORK } from '../../../src/debugger/views/network.ts';
import { NO_SYMBOLS } from '../../../src/debugger/symbols/symbols.ts';
import type { View } from '../../../src/debugger/views/view.ts';
import { droppableMachine } from '../../engine/machines.ts';
import { firstOf } from '../../how-long.ts';

/** What a view shows of a machine nobody has switched on. A network without a name has a number in QEMU. */
function shown(view: View, options: string): string {
  const { machine, close } = droppableMachine(options.split(' ').filter(Boolean), '1');
  const text = view.text({ view: { machine }, vcpu: 0, symbols: NO_SYMBOLS }, '');
  close();
  return text.replace(/#net\d+/g, '#net');
}

const nic = (name: string, mac: string): string =>
  `${name}.0: index=0,type=nic,model=${name},macaddr=52:54:00:12:34:${mac}`;
const user = (name: string, net = '10.0.2.0'): string => `${name}: index=0,type=user,net=${net},restrict=off`;

/** QEMU 7.2's answers (../shared/golden/io/qtest/info_network.txt). */
const CAPTURED: readonly (readonly [options: string, lines: readonly string[]])[] = [
  ['', ['hub 0', ` \\ hub0port1: ${user('#net')}`, ` \\ hub0port0: ${nic('e1000', '56')}`]],
  ['-nodefaults', []],
  ['-net none', []],
  ['-nic none', []],
  ['-net nic -net user', ['hub 0', ` \\ hub0port1: ${user('#net')}`, ` \\ hub0port0: ${nic('e1000', '56')}`]],
  [
    '-net nic,model=virtio -net user',
    ['hub 0', ` \\ hub0port1: ${user('#net')}`, ` \\ hub0port0: ${nic('virtio-net-pci', '56')}`],
  ],
  [
    '-net nic -net nic,model=rtl8139 -net user',
    [
      'hub 0',
      ` \\ hub0port2: ${user('#net')}`,
      ` \\ hub0port1: ${nic('rtl8139', '57')}`,
      ` \\ hub0port0: ${nic('e1000', '56')}`,
    ],
  ],
  ['-nic user,model=virtio-net-pci', [nic('virtio-net-pci', '56'), ` \\ ${user('#net')}`]],
  [
    '-nic user -nic user,model=virtio',
    [nic('e1000', '56'), ` \\ ${user('#net')}`, nic('virtio-net-pci', '57'), ` \\ ${user('#net')}`],
  ],
  ['-netdev user,id=n0 -device e1000,netdev=n0', [nic('e1000', '56'), ` \\ ${user('n0')}`]],
  [
    '-nodefaults -netdev user,id=n0 -device virtio-net-pci,netdev=n0 -netdev user,id=n1 -device e1000,netdev=n1',
    [nic('virtio-net-pci', '56'), ` \\ ${user('n0')}`, nic('e1000', '57'), ` \\ ${user('n1')}`],
  ],
  [
    '-nodefaults -netdev user,id=u -netdev hubport,id=hu,hubid=0,netdev=u -netdev hubport,id=h1,hubid=0 ' +
      '-device e1000,netdev=h1 -netdev hubport,id=h2,hubid=0 -device virtio-net-pci,netdev=h2',
    ['hub 0', ` \\ h2: ${nic('virtio-net-pci', '57')}`, ` \\ h1: ${nic('e1000', '56')}`, ` \\ hu: ${user('u')}`],
  ],
  [
    '-nodefaults -netdev user,id=n0,net=192.168.5.0/24,dhcpstart=192.168.5.30,hostname=guest -device e1000,netdev=n0',
    [nic('e1000', '56'), ` \\ ${user('n0', '192.168.5.0')}`],
  ],
  [
    '-nodefaults -netdev socket,id=s,listen=127.0.0.1:19411 -device e1000,netdev=s',
    [nic('e1000', '56'), ' \\ s: index=0,type=socket,'],
  ],
  // Beside QEMU as this test's writer ran it, with a tap of `ip tuntap`.
  ['-nodefaults -netdev tap,id=t,fd=9 -device e1000,netdev=t', [nic('e1000', '56'), ' \\ t: index=0,type=tap,fd=9']],
  [
    '-nodefaults -netdev dgram,id=s,local.type=inet,local.host=127.0.0.1,local.port=19412,remote.type=inet,' +
      'remote.host=127.0.0.1,remote.port=19413 -device e1000,netdev=s',
    [nic('e1000', '56'), ' \\ s: index=0,type=dgram,udp=127.0.0.1:19412/127.0.0.1:19413'],
  ],
  [
    '-nodefaults -netdev tap,id=t,ifname=rvt9,script=no,downscript=no -device virtio-net-pci,netdev=t',
    [nic('virtio-net-pci', '56'), ' \\ t: index=0,type=tap,ifname=rvt9,script=no,downscript=no'],
  ],
];

/** What QEMU 7.2 answers besides: to taps nobody named, to one on a hub, and to one a helper made. */
const TAPS: readonly (readonly [options: string, lines: readonly string[]])[] = [
  [
    '-nodefaults -netdev tap,id=t,script=no -netdev tap,id=u -device virtio-net-pci,netdev=t -device e1000,netdev=u',
    [
      nic('virtio-net-pci', '56'),
      ' \\ t: index=0,type=tap,ifname=tap0,script=no,downscript=/etc/qemu-ifdown',
      nic('e1000', '57'),
      ' \\ u: index=0,type=tap,ifname=tap1,script=/etc/qemu-ifup,downscript=/etc/qemu-ifdown',
    ],
  ],
  // Beside QEMU 7.2.22 with taps of several queues.
  [
    '-nodefaults -netdev tap,id=t,ifname=a,queues=2,script=no,downscript=no -device virtio-net-pci,netdev=t,mq=on ' +
      '-netdev tap,id=u,ifname=b,script=no,downscript=no -device virtio-net-pci,netdev=u',
    [
      nic('virtio-net-pci', '56'),
      ' \\ t: index=0,type=tap,ifname=a,script=no,downscript=no',
      'virtio-net-pci.1: index=1,type=nic,',
      ' \\ t: index=1,type=tap,ifname=a,script=no,downscript=no',
      'virtio-net-pci.2: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:57',
      ' \\ u: index=0,type=tap,ifname=b,script=no,downscript=no',
    ],
  ],
  [
    '-nodefaults -netdev tap,id=t,ifname=a,queues=2,script=no,downscript=no -device virtio-net-pci,netdev=t,id=c',
    [
      'c: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56',
      ' \\ t: index=0,type=tap,ifname=a,script=no,downscript=no',
      'c: index=1,type=nic,',
      ' \\ t: index=1,type=tap,ifname=a,script=no,downscript=no',
    ],
  ],
  [
    '-nodefaults -netdev tap,id=t,ifname=a,queues=2,script=no,downscript=no',
    new Array<string>(2).fill('t: index=0,type=tap,ifname=a,script=no,downscript=no'),
  ],
  [
    '-nodefaults -net nic -net tap,ifname=rvt9,script=no,downscript=no',
    [
      'hub 0',
      ' \\ hub0port1: #net: index=0,type=tap,ifname=rvt9,script=no,downscript=no',
      ` \\ hub0port0: ${nic('e1000', '56')}`,
    ],
  ],
  [
    '-nodefaults -netdev bridge,id=t,br=br7 -device e1000,netdev=t',
    [nic('e1000', '56'), ' \\ t: index=0,type=tap,helper=/usr/lib/qemu/qemu-bridge-helper,br=br7'],
  ],
];

describe('info network', () => {
  test.each(firstOf(2, [...CAPTURED, ...TAPS].toReversed()))('%s', (options, lines) => {
    expect(shown(NETWORK, options)).toBe(lines.join('\n'));
  });
});

test('netq tells of each end what went by and what waits', () => {
  expect(shown(NET_QUEUES, '-netdev user,id=n0 -device e1000,netdev=n0')).toBe(
    ['n0: user, wire to e1000.0', 'e1000.0: nic, wire to n0']
      .flatMap((head) => [
        head,
        '    Sent:    0 packets, 0 bytes',
        '    Taken:   0 packets, 0 bytes; 0 lost here',
        '    Waiting: 0',
      ])
      .join('\n'),
  );
});

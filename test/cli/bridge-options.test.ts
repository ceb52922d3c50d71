import { describe, expect, test } from 'vitest';
import { runOptions } from '../../src/options/run-arguments.ts';

const asked = (words: string) => runOptions(['-kernel', 'vmlinuz', '-nodefaults', ...words.split(' ')]);

describe('--bridge', () => {
  test('has what a bridge of Linux has, unless something else is said', () => {
    const usual = { stp: false, ageing: 300e9, mtu: 1500, priority: 32_768 };
    expect(asked('--bridge br0').bridges).toEqual([{ ...usual, name: 'br0', ports: [] }]);
    const given = 'br0,ports=up+br1,stp=on,ageing=20s,mtu=9000,priority=4096,address=10.9.0.1/24';
    expect(asked(`-netdev user,id=up --bridge ${given} --bridge br1,ageing=0`).bridges).toEqual([
      {
        ...{ name: 'br0', ports: ['up', 'br1'], stp: true, ageing: 20e9, mtu: 9000, priority: 4096 },
        address: '10.9.0.1/24',
      },
      { ...usual, name: 'br1', ports: [], ageing: 0 },
    ]);
  });

  test.each([
    ['--bridge ports=up', 'say its name first, like br0'],
    ['--bridge a.b', 'say its name first, like br0'],
    ['--bridge br0,bogus=1', "unknown property 'bogus'"],
    ['--bridge br0,stp=maybe', "stp is on or off, not 'maybe'"],
    ['--bridge br0,ageing=long', "'long' is not a time"],
    ['--bridge br0,mtu=3', "'3' is not a whole number from 68 to 65521"],
    ['--bridge br0,address=10.9', 'address=10.9 is no address like 10.9.0.1/24'],
    ['--bridge br0 --bridge br0', 'there is a bridge br0 already'],
    ['--bridge br0,ports=br0', 'a bridge is no port of itself'],
    ['--bridge br0,ports=nope', 'there is no backend and no bridge nope for a port'],
    ['-netdev user,id=u --bridge br0,ports=u+u', 'u is a port of it already'],
    ['-netdev user,id=u --bridge br0,ports=u --bridge br1,ports=u', 'u is a port of br1 already'],
    ['-netdev user,id=u -device e1000,netdev=u --bridge br0,ports=u', 'netdev=u is in use already, by --bridge br0'],
  ])('%s is refused', (words, why) => expect(() => asked(words)).toThrow(why));
});

describe('-netdev tap', () => {
  test.each([
    ['-netdev tap', 'give it an id=NAME'],
    ['-netdev tap,id=t,bogus=1', "unknown property 'bogus'"],
    ['-netdev tap,id=t,vnet_hdr=maybe', 'vnet_hdr=maybe is not on or off'],
    ['-netdev tap,id=t,sndbuf=zz', 'sndbuf=zz is not a whole number'],
    [
      '-netdev tap,id=t,fds=3:4',
      'fds= is not there: fd=N is one tap that is open, and queues=N has several of one that is modelled',
    ],
    ['-netdev tap,id=t,queues=0', 'queues=0 is not a whole number from 1 to 16'],
    ['-netdev tap,id=t,queues=300', 'queues=300 is not a whole number from 1 to 16'],
    ['-netdev tap,id=t,queues=two', 'queues=two is not a whole number'],
    ['-netdev tap,id=t,queues=2 -device virtio-net-pci,netdev=t,mq=on,x-queue-pairs=4', 'that has queues=2'],
    ['-netdev tap,id=t,vhost=on,vhostfd=5', 'vhostfd= is of a real host'],
    ['-netdev tap,id=t,vhost=on,poll-us=50', 'the worker of vhost waits for signals alone'],
    // QEMU's words.
    [
      '-netdev tap,id=t,ifname=a,helper=/x',
      'ifname=, script=, downscript=, vnet_hdr=, queues=, and vhostfds= are invalid with helper=',
    ],
    [
      '-netdev tap,id=t,fd=3,queues=2',
      'ifname=, script=, downscript=, vnet_hdr=, helper=, queues=, fds=, and vhostfds= are invalid with fd=',
    ],
    [
      '-netdev tap,id=t,helper=/x,queues=2',
      'ifname=, script=, downscript=, vnet_hdr=, queues=, and vhostfds= are invalid with helper=',
    ],
    ['-netdev tap,id=t,queues=2 -netdev hubport,id=h,hubid=0,netdev=t', 'Multiqueue tap cannot be used with hubs'],
    ['-net tap,queues=2 -net nic,model=virtio', 'Multiqueue tap cannot be used with hubs'],
    ['-netdev tap,id=t,queues=2 -object filter-dump,id=f,netdev=t,file=f.pcap', 'multiqueue is not supported'],
    ['-netdev tap,id=t,ifname=a -netdev tap,id=u,ifname=a', 'could not configure /dev/net/tun (a)'],
    ['-netdev tap,id=t,ifname=br0', 'could not configure /dev/net/tun (br0): it is a bridge already'],
    ['-netdev tap,id=t,br=a.b', 'A bridge cannot be called a.b'],
    ['-netdev bridge,id=t,ifname=a', "unknown property 'ifname'"],
  ])('%s is refused', (words, why) => expect(() => asked(words)).toThrow(why));
});

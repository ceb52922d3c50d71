import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { divergenceOf, type RecordedGuest, recordGuest } from '../../../src/testing/recorded-guest.ts';
import { LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { bytesOf } from '../net/world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A guest in a world, with its files, does what a script says. */
function inWorld(
  name: string,
  world: object,
  files: Readonly<Record<string, Uint8Array>>,
  script: string,
): RecordedGuest {
  mkdirSync(file(`${name}-site`), { recursive: true });
  for (const [each, bytes] of Object.entries(files)) writeFileSync(file(`${name}-site/${each}`), bytes);
  writeFileSync(file(`${name}.json`), JSON.stringify(world));
  const whole = `network
ip link set lo up; ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
echo nameserver 10.0.2.3 > /etc/resolv.conf
${script}
poweroff -f
`;
  return recordGuest(file(`${name}.trace`), [
    ...linuxWith(initramfs(file(`${name}.gz`), whole)),
    ...['-netdev', `user,id=n0,world=${file(`${name}.json`)}`, '-device', 'virtio-net-pci,netdev=n0'],
    ...['--wall-clock', '1700000000'],
  ]);
}

/** Lines a guest printed, without the carriage returns. */
const linesOf = ({ console }: RecordedGuest): readonly string[] => console.replaceAll('\r', '').split('\n');

describe('Debian among the hosts of a world', without(noLinux()), () => {
  test('asks for names, fetches, sends, is called and refused', LONG, () => {
    const page = bytesOf(256 * 1024);
    const world = {
      hosts: [
        {
          name: 'mirror.test',
          addresses: ['10.0.3.80', 'fec0::80'],
          services: [
            { kind: 'http', port: 80, folder: 'mixed-site' },
            { kind: 'daytime', port: 13 },
          ],
          calls: [
            {
              ...{ at: '1s', to: '10.0.2.15', port: 2222, retry: '200ms' },
              steps: [
                { do: 'expect', text: 'who is it?\n' },
                { do: 'send', text: 'somebody of the world\n' },
              ],
            },
          ],
        },
      ],
      names: [{ name: 'www.test', type: 'CNAME', value: 'mirror.test' }],
    };
    const guest = inWorld(
      'mixed',
      world,
      { page },
      `sleep 3 # for an address of IPv6
wget -q -O - http://www.test/page | sha256sum
wget -q -O - 'http://[fec0::80]/page' | sha256sum
head -c 100000 /dev/urandom > /body; sha256sum < /body
(printf 'PUT /x HTTP/1.0\\r\\nContent-Length: 100000\\r\\n\\r\\n'; cat /body) | nc mirror.test 80 | tail -n 1
nc mirror.test 13 < /dev/null
echo 'who is it?' | nc -l -p 2222
nc -w 2 10.0.3.80 81 < /dev/null
nc -w 2 10.0.3.81 80 < /dev/null`,
    );
    const lines = linesOf(guest);
    const body = /^([\da-f]{64}) {2}-$/.exec(lines[2] ?? '')?.[1];
    expect(lines.slice(0, 2)).toEqual([`${sha256(page)}  -`, `${sha256(page)}  -`]);
    expect(lines.slice(3, 8)).toEqual([
      `100000 bytes, sha256 ${body}`,
      expect.stringMatching(/^14-NOV-2023 22:13:\d\d-UTC$/),
      'somebody of the world',
      "nc: can't connect to remote host (10.0.3.80): Connection refused",
      "nc: can't connect to remote host (10.0.3.81): Network is unreachable",
    ]);
    expect(divergenceOf(guest.trace, {})).toBeUndefined();
    expect(retrovisor(['fold', guest.trace]).status).toBe(0);
    expect(retrovisor(['rerun', guest.trace]).status).toBe(0);
  });
});

/**
 * QEMU 7.2's libslirp as the other end of scripted conversations: what `test/net/captured/slirp.txt` was made by.
 * `npx tsx test/oracle/net/slirp.ts > test/net/captured/slirp.txt`
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { buildArp, parseArp } from '../../../src/packets/arp.ts';
import { buildEthernet, ETHERTYPES, parseEthernet } from '../../../src/packets/ethernet.ts';
import { buildIpv4, IP_PROTOCOLS, parseIpv4, WHOLE_IPV4 } from '../../../src/packets/ipv4.ts';
import { parseTcp } from '../../../src/packets/tcp.ts';
import { CONVERSATIONS, GUEST, guestSegment, HOST, hostLine, newTalk } from '../../net/conversation.ts';

const GUEST_MAC = 0x52_54_00_12_34_56;
const HOST_MAC = 0x52_55_0a_00_02_64;
const OURS = 41_001;
const QEMUS = 41_002;

const socket = createSocket('udp4');
socket.bind(OURS, '127.0.0.1');
await once(socket, 'listening');
const endAt = (which: string, port: number): string =>
  `${which}.type=inet,${which}.host=127.0.0.1,${which}.port=${port}`;
const ends = `${endAt('local', QEMUS)},${endAt('remote', OURS)}`;
const forwards = ['7-cmd:cat', '9-cmd:sh -c "cat >/dev/null"', '13-cmd:echo 0123456789'].map(
  (what) => `guestfwd=tcp:10.0.2.100:${what}`,
);
const qemu = spawn(
  'qemu-system-x86_64',
  [
    ...['-M', 'none', '-nodefaults', '-display', 'none', '-netdev', `user,id=u,restrict=on,${forwards.join(',')}`],
    ...['-netdev', 'hubport,hubid=0,id=h0,netdev=u', '-netdev', `dgram,id=d,${ends}`],
    ...['-netdev', 'hubport,hubid=0,id=h1,netdev=d'],
  ],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);

const toHost = (type: number, payload: Uint8Array): void =>
  socket.send(buildEthernet({ source: GUEST_MAC, destination: HOST_MAC, type, payload }), QEMUS, '127.0.0.1');

let heard: string[] = [];
let talk = newTalk();
socket.on('message', (frame: Buffer) => {
  const { type, payload } = parseEthernet(Uint8Array.from(frame))!;
  if (type === ETHERTYPES.ARP) {
    const asked = parseArp(payload)!;
    if (asked.operation !== 1 || asked.targetIpv4 !== GUEST) return;
    const answer = {
      ...{ operation: 2, senderEthernet: GUEST_MAC, senderIpv4: GUEST },
      ...{ targetEthernet: asked.senderEthernet, targetIpv4: asked.senderIpv4 },
    };
    toHost(ETHERTYPES.ARP, buildArp(answer));
    return;
  }
  const ip = type === ETHERTYPES.IPV4 ? parseIpv4(payload) : undefined;
  const segment = ip?.protocol === IP_PROTOCOLS.TCP ? parseTcp(ip.payload) : undefined;
  if (ip !== undefined && segment !== undefined) heard.push(hostLine(talk, ip, segment));
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
await pause(1500);
for (const { name, port, moves } of CONVERSATIONS) {
  talk = newTalk();
  console.log(`# ${name}`);
  for (const move of moves) {
    console.log(`> ${move}`);
    if (move.startsWith('wait ')) await pause(Number(move.slice(5)));
    else {
      const payload = guestSegment(talk, port, move);
      const packet = { source: GUEST, destination: HOST, protocol: IP_PROTOCOLS.TCP };
      toHost(ETHERTYPES.IPV4, buildIpv4({ ...WHOLE_IPV4, ...packet, id: 1, ttl: 64, payload }));
      await pause(300);
    }
    for (const line of heard) console.log(line);
    heard = [];
  }
}
qemu.kill();
socket.close();

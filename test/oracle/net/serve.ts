/**
 * The hosts of a world behind a TUN interface of this machine, so that its kernel is the guest. By hand, as root:
 * `npx tsx test/oracle/net/serve.ts rv0 10.0.2.15/24`,  then `curl http://10.0.2.2/256k`. Rules are a link's in JSON.
 */
import { spawn } from 'node:child_process';
import { parseIpv4 } from '../../../src/packets/ipv4.ts';
import { parseIpv6 } from '../../../src/packets/ipv6.ts';
import { Bench } from '../../net/bench.ts';
import { ORACLE_FILES, oracleWorld, serveFolder } from './world.ts';

const [name = 'rv0', address = '10.0.2.15/24', rules = '{}', folder] = process.argv.slice(2);
if (folder !== undefined) serveFolder(folder);
const commands = [
  `ip addr add ${address} dev ${name}`,
  `ip -6 addr add fec0::15/64 dev ${name}`,
  `ip link set ${name} up`,
];
const tun = spawn('python3', [new URL('tun.py', import.meta.url).pathname, name, ...commands]);
tun.stderr.pipe(process.stderr);

const began = process.hrtime.bigint();
const clock = (): number => Number(process.hrtime.bigint() - began);
const bench = new Bench(
  oracleWorld(JSON.parse(rules)),
  { files: (file, offset, length) => ORACLE_FILES[file]!.subarray(offset, offset + length), chance: Math.random },
  false,
);
let timer: NodeJS.Timeout | undefined;
let counts: Record<string, number> = {};

function flush(): void {
  for (const { bytes, due } of bench.sent.splice(0)) {
    const frame = Buffer.concat([Buffer.from([bytes.length & 0xff, bytes.length >> 8]), bytes]);
    const wait = (due - clock()) / 1e6;
    if (wait < 1) tun.stdin.write(frame);
    else setTimeout(() => tun.stdin.write(frame), wait);
  }
  clearTimeout(timer);
  const { deadline } = bench;
  if (deadline !== undefined) timer = setTimeout(tick, Math.max((deadline - clock()) / 1e6, 0) + 1);
  for (const event of bench.events.splice(0)) {
    counts[event.kind] = (counts[event.kind] ?? 0) + 1;
    if (event.kind === 'sim:tcp_closed') {
      console.error(event.connection, event.why, counts);
      counts = {};
    }
  }
}

function tick(): void {
  bench.passTo(clock());
  flush();
}

let held = Buffer.alloc(0);
tun.stdout.on('data', (more: Buffer) => {
  held = Buffer.concat([held, more]);
  while (held.length >= 2 && held.length >= 2 + held.readUInt16LE(0)) {
    const packet = held.subarray(2, 2 + held.readUInt16LE(0));
    held = held.subarray(2 + packet.length);
    const bytes = Uint8Array.from(packet);
    bench.passTo(clock());
    const ip = bytes[0]! >> 4 === 4 ? parseIpv4(bytes) : parseIpv6(bytes);
    if (ip !== undefined) bench.receive(ip);
  }
  flush();
});

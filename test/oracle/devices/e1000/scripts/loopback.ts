/** The PHY sends back what it is given. */
import { R, RCTL } from '../../../../../src/devices/e1000/registers.ts';
import { Chance } from '../../workloads.ts';
import { hex, MAC, type Say, type Station } from '../station.ts';
import { BROADCAST, noise, OTHER } from '../../nic/frames.ts';
import { ReceiveRing } from './receive.ts';
import { STATISTICS } from './statistics.ts';

const RING = 0x11_0000;
const DATA = 0x20_0000;

export async function loopback(station: Station, say: Say): Promise<void> {
  const chance = new Chance(3);
  const ring = new ReceiveRing(station);
  await ring.begin(RCTL.enable | RCTL.broadcast);
  await station.write(R.CTRL, 0x4014_0240);
  await station.write(R.TDBAL, RING);
  await station.write(R.TDLEN, 1024);
  await station.write(R.TCTL, 2);
  await station.write(R.IMS, 0xffff_ffff);
  let [at, tail] = [0, 0];
  const send = async (to: readonly number[], length: number, upper = 0): Promise<void> => {
    await station.machine.poke(DATA, Uint8Array.from([...to, ...OTHER, 0x88, 0xb5, ...noise(chance, length)]));
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, DATA, true);
    view.setUint32(8, 0x0900_0000 | (upper > 0 ? 0x4000_0000 : 0) | (14 + length), true);
    view.setUint32(12, upper * 0x1_0000, true);
    await station.machine.poke(RING + 16 * tail, bytes);
    tail += 1;
    await station.write(R.TDT, tail);
  };
  const look = async (what: string): Promise<void> => {
    const frames = await station.machine.frames();
    say(`${what}: ${frames.length} frames, done ${hex(await station.machine.read(RING + 16 * (tail - 1) + 12, 4))}`);
    at = await ring.show(at, say);
  };
  const loops = (on: boolean): Promise<void> => station.write(R.MDIC, 0x0420_0000 | (on ? 0x5140 : 0x1140));
  await send(MAC, 100);
  await look('out');
  await loops(true);
  for (const [to, length, tag] of [
    ...([
      [MAC, 100, 0],
      [OTHER, 100, 0],
      [BROADCAST, 20, 0],
      [[1, 2, 3, 4, 5, 6], 60, 0],
      [MAC, 1490, 7],
      [MAC, 1500, 0],
    ] as const),
    ...([
      [MAC, 1505, 9],
      [MAC, 3000, 0],
    ] as const),
  ]) {
    await send(to, length, tag);
    await look(`${length} bytes`);
  }
  await station.write(R.RDT, at);
  await send(MAC, 80);
  await look('no buffers');
  await station.write(R.RDT, (at + 5) % 16);
  await station.machine.link(false);
  await send(MAC, 80);
  await look('no cable');
  await station.machine.link(true);
  await station.machine.pass(700);
  await send(MAC, 80);
  await look('cable');
  await loops(false);
  await send(MAC, 80);
  await look('out again');
  say(await station.values(STATISTICS));
}

/** Causes, masks, and interrupts that are held back. */
import { R } from '../../../../../src/devices/e1000/registers.ts';
import { Chance } from '../../workloads.ts';
import { hex, type Say, type Station } from '../station.ts';

const CAUSES = [0, 1, 2, 4, 0x10, 0x40, 0x80, 0x81, 0x200, 0xffff_ffff];

async function show(station: Station, say: Say): Promise<void> {
  const [ics, ims] = [hex(await station.read(R.ICS)), hex(await station.read(R.IMS))];
  say(`causes ${ics} mask ${ims} raised ${await station.isRaised()}`);
}

/** While time stands still the first interrupt holds back all others. */
export const heldBack =
  (seed: number) =>
  async (station: Station, say: Say): Promise<void> => {
    await station.place();
    const chance = new Chance(seed);
    for (let count = 0; count < 300; count++) {
      const register = chance.of([R.ICS, R.ICS, R.IMS, R.IMC, R.ICR]);
      await station.write(register, chance.of(CAUSES));
      if (chance.below(4) === 0) say(`taken ${hex(await station.read(R.ICR))}`);
      await show(station, say);
    }
  };

/** Time passes: what was held back comes. Delays are long ones, and so is what is waited. */
export async function letThrough(station: Station, say: Say): Promise<void> {
  await station.place();
  for (const [itr, rdtr, radv] of [
    [0, 0, 0],
    [0xffff, 0, 0],
    [0xffff, 1, 0xffff],
    [0, 1, 0xffff],
  ] as const) {
    await station.write(R.ITR, itr);
    await station.write(R.RDTR, rdtr);
    await station.write(R.RADV, radv);
    await station.write(R.IMS, 0xffff_ffff);
    for (const cause of [4, 0x80, 0x84]) {
      await station.write(R.ICS, cause);
      await show(station, say);
      say(`taken ${hex(await station.read(R.ICR))}`);
      await station.write(R.ICS, cause);
      await station.machine.pass(100);
      await show(station, say);
      await station.write(R.IMC, 0xffff_ffff);
      await show(station, say);
      await station.write(R.IMS, 0xffff_ffff);
      await station.machine.pass(100);
      await show(station, say);
      await station.read(R.ICR);
      await station.machine.pass(100);
    }
  }
}

/** How long: a scene waits 20 ms, and QEMU up to 55, where a delay is of 17 or of 67. */
export async function howLong(station: Station, say: Say): Promise<void> {
  await station.place();
  await station.write(R.IMS, 0x83);
  for (const [itr, rdtr, radv, cause] of [
    [0xffff, 0, 0, 0x80],
    [0xffff, 0, 0xffff, 0x80],
    [0, 0, 0xffff, 0x80],
    [0, 1, 0xffff, 0x80],
    [0, 1, 0xffff, 1],
    [0xffff, 1, 0xffff, 0x80],
  ] as const) {
    await station.write(R.ITR, itr);
    await station.write(R.RDTR, rdtr);
    await station.write(R.RADV, radv);
    await station.write(R.ICS, cause);
    await station.read(R.ICR);
    await station.write(R.ICS, cause);
    await station.machine.pass(20);
    await show(station, say);
    await station.machine.pass(60);
    await show(station, say);
    await station.read(R.ICR);
    await station.machine.pass(100);
  }
}

/** Cables and negotiation. */
export async function links(station: Station, say: Say): Promise<void> {
  const { machine } = station;
  await station.place();
  await station.write(R.IMS, 4);
  const phy = async (register: number): Promise<string> => {
    await station.write(R.MDIC, 0x0820_0000 | (register << 16));
    return hex((await station.read(R.MDIC)) & 0xffff);
  };
  const look = async (what: string): Promise<void> => {
    const [status, control, bmsr, partner] = [await station.read(R.STATUS), await phy(0), await phy(1), await phy(5)];
    const icr = await station.read(R.ICR);
    say(`${what}: status ${hex(status)} phy ${control} ${bmsr} ${partner} causes ${hex(icr)}`);
  };
  await look('at first');
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    off: () => machine.link(false),
    on: () => machine.link(true),
    later: () => machine.pass(700),
    restart: () => station.write(R.MDIC, 0x0420_1200),
    'no negotiation': () => station.write(R.MDIC, 0x0420_0140),
    'negotiation again': () => station.write(R.MDIC, 0x0420_1000),
    reset: async () => {
      await machine.reset();
      await station.place();
      await station.write(R.IMS, 4);
    },
  };
  const order =
    'off|off|on|later|on|off|on|restart|later|off|restart|later|on|later|no negotiation|off|on|restart|later|' +
    'negotiation again|off|later|on|off|later|on|later|off|reset|on|later|restart|reset|later';
  for (const name of order.split('|')) {
    await steps[name]!();
    await look(name);
  }
}

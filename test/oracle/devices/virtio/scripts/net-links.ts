/** A cable that is pulled and plugged, before a driver is at work and while it is. */
import type { DriverOptions } from '../driver.ts';
import { type Guest, hex, PLACE, type Say, structure } from '../guest.ts';
import { type NetWork, netAtWork, signals } from './net-work.ts';

export async function look(work: NetWork, name: string): Promise<void> {
  const { guest, driver, say } = work;
  const { isModern, hasMsix } = driver.options;
  const status = isModern
    ? await guest.read(structure('device') + 6, 2)
    : await guest.in(PLACE.io + (hasMsix ? 24 : 20) + 6, 2);
  const generation = isModern ? ` generation ${await guest.read(structure('common') + 21, 1)}` : '';
  say(`${name}: link ${hex(status)}${generation} status ${await driver.status()} ${await signals(work)}`);
}

export const links =
  (options: DriverOptions) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const work = await netAtWork(guest, say, options, false);
    await look(work, 'at first');
    await guest.link(false);
    await look(work, 'pulled before DRIVER_OK');
    await guest.link(true);
    await look(work, 'plugged before DRIVER_OK');
    await work.driver.ready();
    await look(work, 'DRIVER_OK');
    for (const up of [true, false, false, true, true, false]) {
      await guest.link(up);
      await look(work, up ? 'plugged' : 'pulled');
    }
    await work.driver.setStatus(0);
    await look(work, 'after a reset');
    await guest.reset();
  };

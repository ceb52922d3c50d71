/** A card is announced, before its driver is at work and while it is, and a driver says that it will do more. */
import type { DriverOptions } from '../driver.ts';
import { wireLine } from '../frames.ts';
import type { Guest, Say } from '../guest.ts';
import { look } from './net-links.ts';
import { commands, netAtWork } from './net-work.ts';

const ACKNOWLEDGED = [3, 0];
const UNKNOWN = [3, 1];

export const announced =
  (options: DriverOptions) =>
  async (guest: Guest, say: Say): Promise<void> => {
    const work = await netAtWork(guest, say, options, false);
    const announce = async (rounds: number, name: string): Promise<void> => {
      await guest.announce(rounds);
      say(`${rounds} ${name}: wire ${wireLine(await guest.wire())}`);
      await look(work, name);
    };
    await look(work, 'at first');
    await announce(1, 'before DRIVER_OK');
    await work.driver.ready();
    await look(work, 'DRIVER_OK');
    await commands(work, 'acknowledged', ACKNOWLEDGED);
    await look(work, 'acknowledged');
    await announce(1, 'at work');
    await announce(5, 'not acknowledged yet');
    await commands(work, 'another command', UNKNOWN);
    await look(work, 'another command');
    await commands(work, 'acknowledged', ACKNOWLEDGED);
    await commands(work, 'acknowledged again', ACKNOWLEDGED);
    await look(work, 'acknowledged again');
    await announce(0, 'never');
    await guest.link(false);
    await announce(1, 'without a cable');
    await guest.link(true);
    await look(work, 'plugged');
    await work.driver.setStatus(0);
    await announce(1, 'after a reset');
    await guest.reset();
  };

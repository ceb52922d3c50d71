/** Buffers for entropy. What is in them is chance; how much of each is filled is not. */
import { Driver, type DriverOptions, F, type Piece } from '../driver.ts';
import type { Guest, Say } from '../guest.ts';

/** Buffers of one notification, by the lengths of their pieces. Negative: the device is to read it. */
const BURSTS: readonly (readonly (readonly number[])[])[] = [
  [[64]],
  [[1]],
  [[8], [16], [32]],
  [[8, 8, 8]],
  [[4096]],
  [[4097]],
  [[65_536]],
  [[65_537]],
  [[200_000]],
  [[40_000], [40_000]],
  [[40_000, 40_000], [7]],
  [[-16]],
  [[-16, 64]],
  [[-16], [64]],
  [[64], [-16], [64]],
  [[-16, -16, 8, 8]],
];

/** What the device has left to give is the same for each: a driver that begins anew, as often as there are bursts. */
export const rngRequests =
  (options: DriverOptions) =>
  async (guest: Guest, say: Say): Promise<void> => {
    let memory = 0x30_0000;
    for (const burst of BURSTS) {
      const driver = new Driver(guest, { ...options, memory });
      await driver.place();
      await driver.begin();
      const queue = await driver.queue();
      await driver.ready();
      const data = driver.alloc(0x4_0000);
      memory = driver.alloc(0);
      for (const lengths of burst) {
        const pieces = lengths.map((length): Piece => [data, Math.abs(length), length > 0]);
        await queue.add(pieces, (options.features & F.indirect) !== 0);
      }
      await queue.kick();
      const messages = options.hasMsix ? await driver.messages() : '';
      const said = burst.map((lengths) => lengths.join('+')).join(', ');
      say(`${said}: status ${await driver.status()} ${await queue.state()} isr ${await driver.isr()} ${messages}`);
      guest.said().forEach((line) => say(`   says ${line}`));
    }
  };

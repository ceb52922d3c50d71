/** Frames on their way in: buffers of all shapes, none, and at odd times. */
import type { DriverOptions } from '../driver.ts';
import { broadcast, frame, mac, MAC, PEER } from '../frames.ts';
import type { Guest, Say } from '../guest.ts';
import { comes, MERGEABLE, netAtWork, offers, start, told } from './net-work.ts';

type Script = (guest: Guest, say: Say) => Promise<void>;

const toUs = (length: number): Uint8Array => frame(MAC, PEER, length);

/** Buffers by the lengths of their pieces. */
const BUFFERS: readonly (readonly (readonly number[])[])[] = [
  [[2048]],
  [[12, 2036]],
  [[10, 2, 14, 2000]],
  [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2000]],
  [[72], [72]],
  [[73], [71]],
  [[13], [2000]],
  [[12], [2000]],
  [[100, 100], [100, 100], [2000]],
  [[4096, 4096]],
];

const LENGTHS = [1, 13, 60, 61, 200] as const;

/** A frame of each length into each; what stays goes to the next. */
export const bufferShapes =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    for (const shape of BUFFERS) {
      for (const length of LENGTHS) {
        const [first = 0] = await offers(work, shape);
        await comes(work, `${length} into ${shape.map((some) => some.join('+')).join(', ')}`, toUs(length));
        say(`   ${await start(work, first, 40)}`);
      }
    }
  };

/** Long ones, and more than there is room for, which waits. */
export const fewBuffers =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    const { rx } = work;
    await comes(work, 'no buffer', toUs(60));
    await comes(work, 'still none', toUs(61));
    await offers(work, [[2048]]);
    await told(work, 'one buffer', rx);
    await offers(work, [[2048]]);
    await told(work, 'another', rx);
    await offers(work, [[500], [500]]);
    await told(work, 'two small ones', rx);
    await comes(work, 'long', toUs(1514));
    await offers(work, [[300]]);
    await told(work, 'a smaller one', rx);
    await offers(work, [[300]]);
    await told(work, 'one more', rx);
    await offers(work, [[2048], [2048]]);
    await told(work, 'two large ones', rx);
    await offers(work, new Array<number[]>(20).fill([4000]));
    await comes(work, 'very long', toUs(60_000));
    await rx.setFlags(1);
    await comes(work, 'without an interrupt', toUs(60));
    await rx.setFlags(0);
    await comes(work, 'with one', toUs(60));
  };

export const oddBuffers =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    let memory = 0x30_0000;
    const work = async () => {
      const made = await netAtWork(guest, say, { ...options, memory });
      memory = made.driver.alloc(0);
      return made;
    };
    const readable = await work();
    await readable.rx.add([[readable.into, 2048, false]]);
    await readable.rx.kick();
    await comes(readable, 'only a buffer that is read', toUs(60));
    await offers(readable, [[2048]]);
    await comes(readable, 'and another', toUs(60));
    const both = await work();
    await both.rx.add([
      [both.into, 100, false],
      [both.into + 4096, 2048, true],
    ]);
    await both.rx.kick();
    await comes(both, 'a buffer that is read and written', toUs(60));
    const nowhere = await work();
    await nowhere.rx.add([[0x7f00_0000, 2048, true]]);
    await nowhere.rx.kick();
    await comes(nowhere, 'a buffer that is no memory', toUs(60));
    const late = await work();
    await offers(late, [[100]]);
    await late.rx.add([[late.into + 4096, 0, true]]);
    await late.rx.add([[late.into + 8192, 2048, true]]);
    await late.rx.kick();
    await comes(late, 'an empty buffer in between', toUs(200));
    await comes(late, 'after that', toUs(60));
  };

/** What comes before the driver says that it is at work, and while the cable is pulled. */
export const oddTimesIn =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options, false);
    const { driver, rx } = work;
    const status = async (value: number): Promise<void> => {
      await driver.setStatus(value);
      await guest.settle();
    };
    const [ready, before] = options.isModern ? [0xf, 0xb] : [7, 3];
    await comes(work, 'before DRIVER_OK', toUs(60));
    await offers(work, new Array<number[]>(8).fill([2048]));
    await told(work, 'buffers', rx);
    await comes(work, 'before DRIVER_OK, with buffers', toUs(61));
    await status(ready);
    await told(work, 'DRIVER_OK', rx);
    await comes(work, 'at work', toUs(62));
    await status(before);
    await comes(work, 'no DRIVER_OK again', toUs(63));
    await status(ready);
    await told(work, 'DRIVER_OK again', rx);
    await guest.link(false);
    await told(work, 'no link', rx);
    await comes(work, 'no link', toUs(64));
    await guest.link(true);
    await told(work, 'link', rx);
    await comes(work, 'at work again', toUs(65));
    await comes(work, 'to all', frame(broadcast, PEER, 66));
    await comes(work, 'to others', frame(mac('525400999999'), PEER, 67));
  };

export const RECEIVING: Readonly<Record<string, DriverOptions>> = {
  'modern, merging': { isModern: true, hasMsix: true, features: MERGEABLE },
  'modern, merging, EVENT_IDX': { isModern: true, hasMsix: true, features: MERGEABLE + 2 ** 29 },
  'modern, not merging': { isModern: true, hasMsix: true, features: 0 },
  'legacy, merging': { isModern: false, hasMsix: false, features: MERGEABLE },
  'legacy, not merging, EVENT_IDX': { isModern: false, hasMsix: false, features: 2 ** 29 },
};

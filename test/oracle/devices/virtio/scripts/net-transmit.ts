/** Frames on their way out: odd ones, odd headers, many at once, at odd times. */
import type { DriverOptions } from '../driver.ts';
import type { Guest, Say } from '../guest.ts';
import { type NetWork, netAtWork, putFrame, sends, told } from './net-work.ts';

type Script = (guest: Guest, say: Say) => Promise<void>;

/** Lengths of frames: the last are QEMU's NET_BUFSIZE, and what a backend is not asked for. */
const LENGTHS = [1, 13, 14, 59, 1514, 1515, 9000, 65_000] as const;
const MOST = 69_632;

export const oddFrames =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    const { header, out } = work;
    for (const length of LENGTHS) {
      await putFrame(work, length);
      await sends(work, `${length} bytes`, [[out, header + length, false]]);
    }
    await sends(work, 'too long for any backend', [[out, header + MOST + 1, false]]);
    await putFrame(work, 60);
    await sends(work, 'with a buffer that is written', [
      [out, header + 60, false],
      [out + 4096, 100, true],
    ]);
    await sends(work, 'a byte a piece', [
      ...Array.from({ length: header + 15 }, (_, at) => [out + at, 1, false] as const),
      [out + header + 15, 45, false],
    ]);
    await sends(work, 'header and a byte', [[out, header + 1, false]]);
    await sends(work, 'nothing behind the header', [[out, header, false]]);
    await sends(work, 'after that', [[out, header + 60, false]]);
  };

/** A device that is broken stays so, hence each begins anew. */
export const wrongHeaders =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    let memory = 0x30_0000;
    const wrong = async (name: string, pieces: (work: NetWork) => [number, number, boolean][]): Promise<void> => {
      const work = await netAtWork(guest, say, { ...options, memory });
      memory = work.driver.alloc(0);
      await putFrame(work, 60);
      await sends(work, name, pieces(work));
      await sends(work, 'after that', [[work.out, work.header + 60, false]]);
    };
    // One that is shorter than a header ends QEMU's process.
    await wrong('as long as a header', ({ out, header }) => [[out, header, false]]);
    await wrong('only a buffer that is written', ({ out }) => [[out, 100, true]]);
    await wrong('not in memory', ({ header }) => [[0x7f00_0000, header + 60, false]]);
  };

/** Many frames for one notification. */
export const manyFrames =
  (options: DriverOptions, count: number): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    const { tx, out, header } = work;
    for (let some = 0; some < count; some++) {
      await putFrame(work, 60 + some, 256 * some);
      await tx.add([[out + 256 * some, header + 60 + some, false]]);
    }
    await tx.kick();
    await told(work, `TX ${count} at once`, tx);
    await putFrame(work, 60);
    await sends(work, 'one more', [[out, header + 60, false]]);
    await sends(work, 'and one', [[out, header + 60, false]]);
  };

/** What is put there before the driver says that it is at work, after, and while the cable is pulled. */
export const oddTimes =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options, false);
    const { driver, tx, out, header } = work;
    const status = async (value: number): Promise<void> => {
      await driver.setStatus(value);
      await guest.settle();
    };
    const [ready, before] = options.isModern ? [0xf, 0xb] : [7, 3];
    const length = await putFrame(work, 60);
    await sends(work, 'before DRIVER_OK', [[out, length, false]]);
    await status(ready);
    await told(work, 'DRIVER_OK', tx);
    await sends(work, 'at work', [[out, length, false]]);
    await status(before);
    await sends(work, 'no DRIVER_OK again', [[out, length, false]]);
    await status(ready);
    await told(work, 'DRIVER_OK again', tx);
    await guest.link(false);
    await sends(work, 'no link', [[out, length, false]]);
    await sends(work, 'no link, nothing to send', [[out, header, false]]);
    await guest.link(true);
    await told(work, 'link', tx);
    await sends(work, 'at work again', [[out, length, false]]);
  };

/** Where a gdb may come to a run, and what it may write. */
import { wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** Where QEMU's -s listens. */
const GDB_PORT = 1234;

/** What the command line says of it, as given. */
interface Given {
  readonly gdb?: string;
  readonly s?: boolean;
  readonly allowWrite?: string;
  readonly checkpoints?: boolean;
}

/** `-gdb tcp:ADDRESS:PORT`, as QEMU spells it, or `-s`; the loopback interface when no address is named. */
export function gdbWanted({ gdb, s, checkpoints, allowWrite }: Given) {
  const isWanted = gdb !== undefined || s === true;
  if (!isWanted && allowWrite !== undefined) throw new UsageProblem('--allow-write needs a -gdb or -s.');
  if (isWanted && checkpoints === true)
    throw new UsageProblem('Give -gdb or --checkpoints, not both: `retrovisor index` adds them.');
  const place = gdb === undefined ? { port: isWanted ? GDB_PORT : undefined, address: undefined } : gdbPlace(gdb);
  return { gdb: place.port, gdbAddress: place.address, gdbWrites: allowWrite };
}

function gdbPlace(gdb: string): { readonly port: number; readonly address: string | undefined } {
  const [, host = '', port] = /^tcp:([^:,[\]]*|\[[0-9a-f:.]+\]):(\d{1,5})(?:,.*)?$/i.exec(gdb) ?? [];
  if (port === undefined) throw new UsageProblem(`-gdb ${gdb}: write tcp::PORT, like -gdb tcp::1234.`);
  const address = host === '' || host === 'localhost' ? undefined : host.replace(/[[\]]/g, '');
  return { port: wholeNumber(`-gdb ${gdb}`, port, 0, 65_535), address };
}

/** What QEMU asks of /dev/vhost-net. Linux 6.1: drivers/vhost/net.c, vhost.c. */
import type { Machine } from '../board/machine.ts';
import type { NetClientConfig } from '../config.ts';
import { NO_BYTES } from '../net/clients.ts';
import { VHOST_FEATURES } from './features.ts';
import { usedIndex } from './ring.ts';
import { gather, giveBack, readerOf, type Served, vringOf, writeFlags } from './served.ts';

/** The requests there is a use for. */
export type VhostRequest =
  | 'VHOST_SET_OWNER'
  | 'VHOST_GET_FEATURES'
  | 'VHOST_SET_FEATURES'
  | 'VHOST_SET_MEM_TABLE'
  | 'VHOST_SET_LOG_BASE'
  | 'VHOST_SET_VRING_NUM'
  | 'VHOST_SET_VRING_BASE'
  | 'VHOST_GET_VRING_BASE'
  | 'VHOST_SET_VRING_ADDR'
  | 'VHOST_SET_VRING_KICK'
  | 'VHOST_SET_VRING_CALL'
  | 'VHOST_SET_VRING_ERR'
  | 'VHOST_NET_SET_BACKEND';

interface Asked {
  readonly queue?: number;
  /** A number, an index, a descriptor: -1 for none. Of a backend: 0 for the tap. Of a ring's addresses: its flags. */
  readonly arg?: number | bigint;
  readonly more?: Uint8Array;
}

const EINVAL = 22;

/** Returns 0, or an errno as a negative number. */
export function vhostIoctl(machine: Machine, tap: NetClientConfig, cmd: VhostRequest, asked: Asked = {}): number {
  const { queue = -1, arg = 0n, more = NO_BYTES } = asked;
  const tell = (value: number | bigint, bytes: Uint8Array, ret = 0): number => {
    const word = BigInt.asUintN(64, BigInt(value));
    machine.raise({ kind: 'sim:vhost_ioctl', client: tap.name, cmd, queue, arg: word, more: bytes, ret });
    return ret;
  };
  const served: Served = { machine, tap, queue };
  switch (cmd) {
    case 'VHOST_GET_FEATURES':
      return tell(BigInt(VHOST_FEATURES[1]) * 2n ** 32n + BigInt(VHOST_FEATURES[0]), more);
    case 'VHOST_SET_VRING_NUM':
      return tell(arg, more, isRingSize(Number(arg)) ? 0 : -EINVAL);
    case 'VHOST_GET_VRING_BASE':
      return tell(vringOf(served).lastAvail, more);
    case 'VHOST_NET_SET_BACKEND':
      return setBackend(served, arg, tell);
    default:
      return tell(arg, more);
  }
}

const isRingSize = (size: number): boolean => size > 0 && size <= 0xffff && (size & (size - 1)) === 0;

/** The worker comes to an end with what it has under way; a new backend begins with the used index in memory. */
function setBackend(
  served: Served,
  backend: number | bigint,
  tell: (arg: number | bigint, more: Uint8Array) => number,
): number {
  if (vringOf(served).hasBackend) giveBack(served);
  if (backend < 0) return tell(backend, NO_BYTES);
  writeFlags(served);
  const index = gather(served, () => usedIndex(readerOf(served)));
  return tell(backend, Uint8Array.of(index, index >> 8));
}

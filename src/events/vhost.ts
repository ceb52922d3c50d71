import { fact, hex } from './schema.ts';

/** A vhost device of the kernel, by the tap whose backend it is. */
const OF_VHOST = { client: 'text' } as const;
/** One of its rings: 0 receives, 1 transmits. */
const OF_RING = { ...OF_VHOST, queue: 'u' } as const;

interface OfRing {
  readonly client: string;
  readonly queue: number;
}

const ringOf = (e: OfRing): string => `${e.client} vq ${e.queue}`;

/** What vhost-net of the modelled Linux does, and what QEMU asks of it: QEMU's trace events of 7.2, and our own. */
export const VHOST_FACTS = {
  /**
   * QEMU asks something of /dev/vhost-net. queue -1: of no ring. arg: features, a number, an index, a descriptor (-1:
   * none) as the ioctl takes or gives it; of a log how many words of 64 pages it has, of a ring's addresses its flags
   * (1: it is logged). more: regions of memory, as guest-physical address, size and host virtual address of 8 bytes
   * each; of a ring the addresses of its descriptors, used and available ring, and where in the guest's memory the used
   * ring is logged. ret: 0 or an errno.
   */
  'sim:vhost_ioctl': fact(
    { ...OF_VHOST, cmd: 'text', queue: 'i', arg: 'u64', more: 'bytes', ret: 'i' },
    (e) =>
      `${e.client} ${e.cmd}${e.queue < 0 ? '' : ` vq ${e.queue}`} 0x${hex(e.arg)}` +
      `${e.more.length === 0 ? '' : ` ${e.more.length} bytes`}${e.ret === 0 ? '' : ` = ${e.ret}`}`,
  ),
  vhost_dev_start: fact({ dev: 'text', name: 'text', vrings: 'bool' }, (e) => startOf(e)),
  vhost_dev_stop: fact({ dev: 'text', name: 'text', vrings: 'bool' }, (e) => startOf(e)),
  /** QEMU cannot have the kernel serve a device's rings, and serves them itself. */
  'sim:vhost_refused': fact(
    { ...OF_VHOST, dev: 'text', errno: 'u', why: 'text' },
    (e) => `${e.client} ${e.dev}: unable to start vhost net: ${e.errno}: falling back on userspace virtio (${e.why})`,
  ),
  /**
   * Chains of descriptors are the kernel's: one of a frame to be sent, or all in which a frame goes. avail: how far the
   * driver had come. heads: of each chain its first descriptor and the bytes it is given back with, 4 bytes each.
   * segments: guest-physical address and length of each piece, 12 bytes, those that are read first.
   */
  'sim:vhost_get_desc': fact(
    { ...OF_RING, avail: 'u', heads: 'bytes', in_num: 'u', out_num: 'u', segments: 'bytes' },
    (e) => `${ringOf(e)} chains ${e.heads.length / 8} in_num ${e.in_num} out_num ${e.out_num}`,
  ),
  /**
   * What was taken is given back, and the used index goes on. signal: 'sent', the driver is interrupted for it;
   * 'suppressed', it does not want to be; 'none', it cannot be.
   */
  'sim:vhost_add_used': fact(
    { ...OF_RING, count: 'u', signal: 'text' },
    (e) => `${ringOf(e)} count ${e.count} signal ${e.signal}`,
  ),
  /** Whether the driver is to notify of what it adds. avail: how far it had come. */
  'sim:vhost_notify': fact({ ...OF_RING, on: 'bool', avail: 'u' }, (e) => `${ringOf(e)} ${e.on ? 'on' : 'off'}`),
  /** Guest-physical memory was written, of which a page was not in the log yet. */
  'sim:vhost_log_write': fact({ ...OF_RING, addr: 'u', len: 'u' }, (e) => `${ringOf(e)} 0x${hex(e.addr)}+${e.len}`),
  /** A driver did what none may do: vq_err. avail: how far it had come; taken: chains that are lost by it. */
  'sim:vhost_error': fact({ ...OF_RING, why: 'text', avail: 'u', taken: 'u' }, (e) => `${ringOf(e)} ${e.why}`),
  /**
   * A worker of the kernel has done one piece of work, and is busy until a virtual nanosecond. end: 'more' of it is to
   * come; 'empty', there is nothing more; 'no buffers', the driver has none for what waits; 'weight', others have their
   * turn; 'error'; 'idle', there is no backend.
   */
  'sim:vhost_ran': fact(
    { ...OF_RING, thread: 'u', elements: 'u', until: 'u', end: 'text' },
    (e) => `thread ${e.thread} ${ringOf(e)} elements ${e.elements} until ${e.until} ns ${e.end}`,
  ),
} as const;

const startOf = (e: { readonly dev: string; readonly name: string; readonly vrings: boolean }): string =>
  `${e.dev}:${e.name} vrings:${Number(e.vrings)}`;

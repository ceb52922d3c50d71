import { fact } from './schema.ts';

const REQUEST = { dev: 'text', req: 'u' } as const;
const TRANSFER = { ...REQUEST, sector: 'u64', nsectors: 'u' } as const;

interface Request {
  readonly dev: string;
  readonly req: number;
}

const request = (e: Request): string => `vdev ${e.dev} req ${e.req}`;

/** What a virtio block device does: QEMU's trace events of 7.2, a request by the number of its element. */
export const VIRTIO_BLK_EVENTS = {
  virtio_blk_handle_read: fact(TRANSFER, (e) => `${request(e)} sector ${e.sector} nsectors ${e.nsectors}`),
  virtio_blk_handle_write: fact(TRANSFER, (e) => `${request(e)} sector ${e.sector} nsectors ${e.nsectors}`),
  virtio_blk_rw_complete: fact({ ...REQUEST, ret: 'i' }, (e) => `${request(e)} ret ${e.ret}`),
  /** The status byte is in memory. */
  virtio_blk_req_complete: fact({ ...REQUEST, status: 'u' }, (e) => `${request(e)} status ${e.status}`),
  /** Writes wait for a flush from now on, or no more. */
  'sim:virtio_blk_write_cache': fact({ dev: 'text', on: 'bool' }, (e) => `vdev ${e.dev} ${e.on ? 'on' : 'off'}`),
} as const;

/** What a driver says of how frames are to be spread. QEMU 7.2: virtio_net_handle_rss. */
import { hasFeature, type Words } from '../virtio/index.ts';
import { isPowerOf2 } from '../properties.ts';
import { FEATURE, MQ_COMMAND } from './registers.ts';
import { MOST_RSS } from './rss.ts';

/** Places in struct virtio_net_rss_config before its table, and bytes between that and the key. */
const AT = { types: 0, mask: 4, otherwise: 6, table: 8 } as const;
const BEHIND_TABLE = 3;
const ENTRY = 2;

/** Most bytes it has. */
export const RSS_BYTES = AT.table + ENTRY * MOST_RSS.table + BEHIND_TABLE + MOST_RSS.key;

/** Why it is refused, as QEMU says it. */
interface Refusal {
  readonly msg: string;
  readonly value: number;
}

/** An empty key: frames are not to be spread. */
interface Wish {
  readonly types: number;
  /** Words, little-endian. */
  readonly table: Uint8Array;
  readonly key: Uint8Array;
  readonly otherwise: number;
  readonly pairs: number;
}

/** Who asks, and by which command. */
interface Asker {
  readonly command: number;
  readonly state: { readonly features: Words; readonly pairs: number };
  /** Pairs there are at most. */
  readonly most: number;
}

export function rssIn(data: Uint8Array, { command, state, most }: Asker): Wish | Refusal {
  const isRss = command === MQ_COMMAND.rssConfig;
  if (!isRss && command !== MQ_COMMAND.hashConfig) return { msg: 'Unknown command', value: command };
  if (isRss && !hasFeature(state, FEATURE.rss)) return { msg: 'RSS is not negotiated', value: 0 };
  if (!isRss && !hasFeature(state, FEATURE.hashReport)) return { msg: 'Hash report is not negotiated', value: 0 };
  if (data.length < AT.table) return { msg: 'Short command buffer', value: data.length };
  const words = new DataView(data.buffer, data.byteOffset, data.length);
  const entries = isRss ? (words.getUint16(AT.mask, true) + 1) & 0xffff : 1;
  if (entries === 0 || !isPowerOf2(entries)) return { msg: 'Invalid size of indirection table', value: entries };
  if (entries > MOST_RSS.table) return { msg: 'Too large indirection table', value: entries };
  const otherwise = isRss ? words.getUint16(AT.otherwise, true) : 0;
  if (otherwise >= most) return { msg: 'Invalid default queue', value: otherwise };
  const table = data.subarray(AT.table, AT.table + ENTRY * entries);
  if (table.length < ENTRY * entries) return { msg: 'Short indirection table buffer', value: table.length };
  const types = words.getUint32(AT.types, true);
  const rest = restIn(data.subarray(AT.table + table.length), types, most, isRss ? undefined : state.pairs);
  return 'msg' in rest ? rest : { types, table, otherwise, ...rest };
}

/** What is behind the table: how many pairs, unless that is settled, and a key. */
function restIn(
  data: Uint8Array,
  types: number,
  most: number,
  settled?: number,
): Pick<Wish, 'pairs' | 'key'> | Refusal {
  const [low, high, bytes] = data;
  if (low === undefined || high === undefined || bytes === undefined) {
    return { msg: "Can't get queue_pairs", value: data.length };
  }
  const pairs = settled ?? low | (high << 8);
  if (pairs === 0 || pairs > most) return { msg: 'Invalid number of queue_pairs', value: pairs };
  if (bytes > MOST_RSS.key) return { msg: 'Invalid key size', value: bytes };
  if (bytes === 0 && types !== 0) return { msg: 'No key provided', value: 0 };
  const key = data.subarray(BEHIND_TABLE, BEHIND_TABLE + bytes);
  return key.length < bytes ? { msg: 'Can get key buffer', value: key.length } : { key, pairs };
}

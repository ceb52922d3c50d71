/** What a name stands for: `value` is an address, or for CNAME and PTR another name. */
export interface NameRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR';
  readonly value: string;
  /** Seconds. */
  readonly ttl?: number;
}

/** Who is at the other end of the wire. */
export interface World {
  readonly names?: readonly NameRecord[];
}

import { bits, joined, layout, u8, u16, u32, u48, u128 } from './layout.ts';

/** Kinds of options of neighbor discovery (RFC 4861, 4.6; RFC 8106). */
export const ND_OPTIONS = {
  SOURCE_ETHERNET: 1,
  TARGET_ETHERNET: 2,
  PREFIX: 3,
  REDIRECTED: 4,
  MTU: 5,
  DNS: 25,
} as const;

const SOLICITATION = layout(20, { reserved: u32(0), target: u128(4) });
const ADVERTISEMENT = layout(20, {
  isRouter: bits(0, 1, 7, 1),
  isSolicited: bits(0, 1, 6, 1),
  overrides: bits(0, 1, 5, 1),
  target: u128(4),
});
const ROUTER = layout(12, {
  hopLimit: u8(0),
  flags: u8(1),
  lifetime: u16(2),
  reachable: u32(4),
  retransmission: u32(8),
});
const ETHERNET = layout(8, { kind: u8(0), words: u8(1), ethernet: u48(2) });
const PREFIX = layout(32, {
  kind: u8(0),
  words: u8(1),
  length: u8(2),
  flags: u8(3),
  valid: u32(4),
  preferred: u32(8),
  prefix: u128(16),
});

/** Flags of a prefix: it is on the link, and addresses may be made with it. */
const ON_LINK_AND_AUTONOMOUS = 0xc0;

function built<V>(shape: { length: number; write: (into: Uint8Array, values: V) => void }, values: V): Uint8Array {
  const bytes = new Uint8Array(shape.length);
  shape.write(bytes, values);
  return bytes;
}

/** An option that says where somebody is on the link. */
export const ethernetOption = (kind: number, ethernet: number): Uint8Array =>
  built(ETHERNET, { kind, words: 1, ethernet });

/** A prefix to make addresses with; lifetimes in seconds. */
export const prefixOption = (prefix: bigint, length: number, valid: number, preferred: number): Uint8Array =>
  built(PREFIX, {
    ...{ kind: ND_OPTIONS.PREFIX, words: PREFIX.length / 8, flags: ON_LINK_AND_AUTONOMOUS },
    ...{ length, valid, preferred, prefix },
  });

/** What a router says of itself; its lifetime in seconds. */
export interface RouterAdvertisement {
  readonly hopLimit: number;
  readonly lifetime: number;
  readonly options: readonly Uint8Array[];
}

/** The body of a router's advertisement: it says nothing of times, and configures by itself. */
export const buildRouterAdvertisement = ({ hopLimit, lifetime, options }: RouterAdvertisement): Uint8Array =>
  joined(built(ROUTER, { hopLimit, lifetime, flags: 0, reachable: 0, retransmission: 0 }), ...options);

/** Who is asked for by the body of a solicitation; undefined when it is cut. */
export const solicitedBy = (body: Uint8Array): bigint | undefined => SOLICITATION.read(body)?.target;

/** The body of a solicitation of somebody, by who is at an Ethernet address. */
export const buildSolicitation = (target: bigint, ethernet: number): Uint8Array =>
  joined(built(SOLICITATION, { reserved: 0, target }), ethernetOption(ND_OPTIONS.SOURCE_ETHERNET, ethernet));

/** What a neighbor's advertisement says. */
export interface NeighborAdvertisement {
  readonly isRouter: boolean;
  readonly isSolicited: boolean;
  readonly overrides: boolean;
  readonly target: bigint;
}

/** An advertisement by its body; undefined when it is cut. */
export function parseAdvertisement(body: Uint8Array): NeighborAdvertisement | undefined {
  const said = ADVERTISEMENT.read(body);
  if (said === undefined) return undefined;
  const { isRouter, isSolicited, overrides, target } = said;
  return { isRouter: isRouter === 1, isSolicited: isSolicited === 1, overrides: overrides === 1, target };
}

/** Its body, with the Ethernet address of who it is about. */
export const buildAdvertisement = (said: NeighborAdvertisement, ethernet: number): Uint8Array =>
  joined(
    built(ADVERTISEMENT, {
      isRouter: Number(said.isRouter),
      isSolicited: Number(said.isSolicited),
      overrides: Number(said.overrides),
      target: said.target,
    }),
    ethernetOption(ND_OPTIONS.TARGET_ETHERNET, ethernet),
  );

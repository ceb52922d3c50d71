import { latin1 } from '../../src/base/bytes.ts';
import { bytesOf } from '../../src/net/world/say.ts';
import { ipv4Of } from '../../src/packets/addresses.ts';
import { IP_PROTOCOLS, type ParsedIpv4, parseIpv4, WHOLE_IPV4 } from '../../src/packets/ipv4.ts';
import { NOTHING } from '../../src/packets/layout.ts';
import { buildTcp, mssOption, type ParsedTcp, parseTcp, TCP_FLAGS } from '../../src/packets/tcp.ts';
import type { Bench } from './bench.ts';
import { GUEST } from './conversation.ts';

const { ACK, FIN, PSH, RST, SYN } = TCP_FLAGS;
const SEGMENT = 1000;

/** A guest's packet of IPv4. */
export const fromGuest = (destination: number, protocol: number, payload: Uint8Array): ParsedIpv4 => ({
  ...{ ...WHOLE_IPV4, source: GUEST, destination, protocol, id: 1, ttl: 64, payload, header: NOTHING, checksum: 0 },
});

/** More than any test needs of somebody who goes on without end. */
const MOST_HEARD = 400_000;

/**
 * A guest that loses nothing and acknowledges all at once: enough to see what a host says. It is no judge of TCP.
 */
export class Client {
  heard = '';
  hasEnded = false;
  isReset = false;
  private next = 1000;
  private awaited = 0;
  private readonly bench: Bench;
  private readonly host: number;
  private readonly port: number;
  private readonly own: number;

  constructor(bench: Bench, host: string, port: number, own = 40_000) {
    this.bench = bench;
    this.host = ipv4Of(host)!;
    this.port = port;
    this.own = own;
    this.send(SYN, NOTHING, mssOption(1460));
    this.listen();
  }

  private send(flags: number, payload: Uint8Array = NOTHING, options: Uint8Array = NOTHING): void {
    const ports = { sourcePort: this.own, destinationPort: this.port };
    const numbers = { sequence: this.next, acknowledgment: (flags & ACK) === 0 ? 0 : this.awaited };
    const ends = { source: GUEST, destination: this.host, protocol: IP_PROTOCOLS.TCP };
    const segment = buildTcp({ ...ports, ...numbers, flags, window: 64_000, urgent: 0, options, payload }, ends);
    this.next += payload.length + ((flags & (SYN | FIN)) === 0 ? 0 : 1);
    this.bench.receive(fromGuest(this.host, ends.protocol, segment));
  }

  /** Take what is on its way, until nothing more comes. */
  listen(): void {
    for (let sent = this.bench.sent.splice(0); sent.length > 0; sent = this.bench.sent.splice(0)) {
      for (const { bytes } of sent) this.hear(parseTcp(parseIpv4(bytes)!.payload)!);
    }
  }

  private hear({ flags, payload, sequence, destinationPort }: ParsedTcp): void {
    if (destinationPort !== this.own) return;
    if ((flags & RST) !== 0) this.isReset = true;
    else if ((flags & SYN) !== 0) this.awaited = sequence + 1;
    else if (sequence === this.awaited) this.take(payload, (flags & FIN) !== 0);
    if (this.heard.length > MOST_HEARD) return;
    if ((flags & (SYN | FIN)) !== 0 || payload.length > 0) this.send(ACK);
  }

  private take(payload: Uint8Array, isLast: boolean): void {
    this.heard += latin1(payload);
    this.awaited += payload.length + (isLast ? 1 : 0);
    this.hasEnded ||= isLast;
  }

  /** Say something, and hear what comes back. */
  say(text: string): string {
    const before = this.heard.length;
    const bytes = bytesOf(text);
    for (let at = 0; at < bytes.length; at += SEGMENT) {
      this.send(ACK | PSH, bytes.subarray(at, at + SEGMENT));
      this.listen();
    }
    return this.heard.slice(before);
  }

  /** Say that no more comes. */
  end(): string {
    const before = this.heard.length;
    this.send(ACK | FIN);
    this.listen();
    return this.heard.slice(before);
  }
}

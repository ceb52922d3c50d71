import { ipv4Of, ipv6Of } from '../../packets/addresses.ts';
import type { UserNetSetup } from './setup.ts';

/** The addresses of a network that user networking makes: numbers of IPv4, bigints of IPv6. */
export interface Network {
  readonly hasIpv4: boolean;
  readonly network: number;
  readonly mask: number;
  readonly host: number;
  readonly dns: number;
  readonly dhcpStart: number;
  readonly hasIpv6: boolean;
  readonly prefix6: bigint;
  readonly prefixLength: number;
  readonly host6: bigint;
  readonly dns6: bigint;
}

/** The network of a setup. */
export function networkOf(_setup: UserNetSetup): Network {
  return {
    ...{ hasIpv4: true, network: ipv4Of('10.0.2.0')!, mask: 0xffff_ff00, host: ipv4Of('10.0.2.2')! },
    ...{ dns: ipv4Of('10.0.2.3')!, dhcpStart: ipv4Of('10.0.2.15')! },
    ...{
      hasIpv6: true,
      prefix6: ipv6Of('fec0::')!,
      prefixLength: 64,
      host6: ipv6Of('fec0::2')!,
      dns6: ipv6Of('fec0::3')!,
    },
  };
}

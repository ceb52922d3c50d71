/** What applications say, in a line. */
import type { Dissection, PacketValue } from './dissection.ts';
import type { PacketField } from './fields-table.ts';

/** A word and a field's value, where it has one. */
export const with_ = (d: Dissection, word: string, name: PacketField): string => {
  const value = d.one(name);
  return value === undefined ? '' : ` ${word} ${value}`;
};

const APPLICATIONS: Readonly<Record<string, (d: Dissection) => string>> = { dhcp, dhcpv6, dns, ntp, tftp, http };

/** What is told of the protocol on top; nothing where there is none that is known. */
export function application(d: Dissection): string {
  const told = APPLICATIONS[d.protocols[d.protocols.length - 1]!];
  return told === undefined ? '' : `: ${told(d)}`;
}

const MESSAGES = ['', 'Discover', 'Offer', 'Request', 'Decline', 'ACK', 'NAK', 'Release', 'Inform'];

function dhcp(d: Dissection): string {
  const message = d.one('dhcp.option.dhcp');
  const isRequest = d.one('dhcp.type') === 1;
  const bootp = isRequest ? 'BOOTP Request' : 'BOOTP Reply';
  const lease = with_(d, 'for', 'dhcp.option.ip_address_lease_time');
  return [
    message === undefined ? bootp : `DHCP ${MESSAGES[Number(message)] ?? `message ${message}`}`,
    with_(d, isRequest ? 'from' : 'to', 'dhcp.hw.mac_addr'),
    with_(d, 'wants', 'dhcp.option.requested_ip_address'),
    d.one('dhcp.ip.your') === '0.0.0.0' ? '' : with_(d, 'gives', 'dhcp.ip.your'),
    lease === '' ? '' : `${lease} s`,
  ].join('');
}

const MESSAGES_V6: Readonly<Record<number, string>> = {
  ...{ 1: 'Solicit', 2: 'Advertise', 3: 'Request', 4: 'Confirm', 5: 'Renew', 6: 'Rebind', 7: 'Reply', 8: 'Release' },
  ...{ 9: 'Decline', 10: 'Reconfigure', 11: 'Information-request', 12: 'Relay-forward', 13: 'Relay-reply' },
};

function dhcpv6(d: Dissection): string {
  const type = Number(d.one('dhcpv6.msgtype'));
  return `DHCPv6 ${MESSAGES_V6[type] ?? `message ${type}`}`;
}

const MODES: Readonly<Record<number, string>> = { 3: 'client', 4: 'server', 5: 'broadcast' };

function ntp(d: Dissection): string {
  const mode = Number(d.one('ntp.flags.mode'));
  return `NTPv${d.one('ntp.flags.vn')} ${MODES[mode] ?? `mode ${mode}`}, stratum ${d.one('ntp.stratum')}`;
}

const TYPES: Readonly<Record<number, string>> = {
  ...{ 1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 12: 'PTR', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 255: 'ANY' },
};
const RCODES = ['NoError', 'FormErr', 'ServFail', 'NXDomain', 'NotImp', 'Refused'];
/** Answers told in a line. */
const MOST_ANSWERS = 4;

function dns(d: Dissection): string {
  const type = Number(d.one('dns.qry.type'));
  const asked = d.one('dns.qry.name') === undefined ? '' : ` ${TYPES[type] ?? type}? ${d.one('dns.qry.name')}`;
  if (d.one('dns.flags.response') !== 1) return `DNS ${d.one('dns.id')}${asked}`;
  const rcode = Number(d.one('dns.flags.rcode'));
  const values = (['dns.cname', 'dns.a', 'dns.aaaa', 'dns.ptr.domain_name'] as const).flatMap(
    (name): readonly PacketValue[] => d.fields.get(name) ?? [],
  );
  const rest = values.length > MOST_ANSWERS ? `, and ${values.length - MOST_ANSWERS} more` : '';
  const found = values.length === 0 ? ' nothing' : ` ${values.slice(0, MOST_ANSWERS).join(', ')}${rest}`;
  return `DNS ${d.one('dns.id')}${asked}:${rcode === 0 ? found : ` ${RCODES[rcode] ?? `rcode ${rcode}`}`}`;
}

function tftp(d: Dissection): string {
  const [read, written] = [d.one('tftp.source_file'), d.one('tftp.destination_file')];
  if (read !== undefined) return `TFTP read "${read}" ${d.one('tftp.type') ?? ''}`;
  if (written !== undefined) return `TFTP write "${written}" ${d.one('tftp.type') ?? ''}`;
  const code = d.one('tftp.error.code');
  if (code !== undefined) return `TFTP error ${code} "${d.one('tftp.error.message')}"`;
  const names: Readonly<Record<number, string>> = { 3: 'data', 4: 'ack', 6: 'options acknowledged' };
  const opcode = d.one('tftp.opcode');
  return `TFTP ${names[Number(opcode)] ?? `opcode ${opcode}`}${with_(d, 'block', 'tftp.block')}`;
}

function http(d: Dissection): string {
  return d.one('http.request.method') === undefined
    ? `HTTP: ${d.one('http.response.version')} ${d.one('http.response.code')} ${d.one('http.response.phrase')}`
    : `HTTP: ${d.one('http.request.method')} ${d.one('http.request.uri')} ${d.one('http.request.version')}`;
}

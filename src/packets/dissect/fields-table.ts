/** What packets have fields for, by Wireshark's names. */

/** How the values of a field are written. A `flag` is 0 or 1. */
export type PacketFieldType = 'number' | 'flag' | 'address' | 'text';

/** One field: what its values are, and what it is for. */
export interface PacketFieldRow {
  readonly type: PacketFieldType;
  readonly help: string;
}

const number = (help: string): PacketFieldRow => ({ type: 'number', help });
const flag = (help: string): PacketFieldRow => ({ type: 'flag', help });
const address = (help: string): PacketFieldRow => ({ type: 'address', help });
const text = (help: string): PacketFieldRow => ({ type: 'text', help });

/** The fields a packet itself has. To add one, add its row, and have its protocol tell it. */
export const OWN_FIELDS = {
  'frame.len': number('bytes of the frame, without its check sequence'),
  'eth.dst': address('destination'),
  'eth.src': address('source'),
  'eth.type': number('what follows: 0x0800 IPv4, 0x0806 ARP, 0x86dd IPv6'),
  'eth.len': number('bytes that follow, of an IEEE 802.3 frame'),
  'vlan.id': number('VLAN'),
  'vlan.priority': number('priority code point'),
  'vlan.etype': number('what follows the tag'),
  'arp.opcode': number('1 request, 2 reply'),
  'arp.src.hw_mac': address('who asks or answers'),
  'arp.src.proto_ipv4': address('and its IPv4 address'),
  'arp.dst.hw_mac': address('who is asked'),
  'arp.dst.proto_ipv4': address('the IPv4 address that is asked for'),
  'ip.hdr_len': number('bytes of the header'),
  'ip.dsfield': number('type of service'),
  'ip.len': number('bytes of header and payload'),
  'ip.id': number('identification'),
  'ip.flags.df': flag('may not be fragmented'),
  'ip.flags.mf': flag('more fragments follow'),
  'ip.frag_offset': number('where the fragment lies, in units of eight bytes'),
  'ip.ttl': number('time to live'),
  'ip.proto': number('what follows: 1 ICMP, 6 TCP, 17 UDP'),
  'ip.checksum': number('of the header'),
  'ip.src': address('source'),
  'ip.dst': address('destination'),
  'ipv6.tclass': number('traffic class'),
  'ipv6.flow': number('flow label'),
  'ipv6.plen': number('bytes that follow the header'),
  'ipv6.nxt': number('what follows the header: 58 ICMPv6, 6 TCP, 17 UDP'),
  'ipv6.hlim': number('hop limit'),
  'ipv6.src': address('source'),
  'ipv6.dst': address('destination'),
  'ipv6.fraghdr.offset': number('where the fragment lies, in units of eight bytes'),
  'ipv6.fraghdr.more': flag('more fragments follow'),
  'ipv6.fraghdr.ident': number('identification'),
  'icmp.type': number('0 echo reply, 3 unreachable, 8 echo request, 11 time exceeded'),
  'icmp.code': number('which of its type'),
  'icmp.checksum': number('of the message'),
  'icmp.ident': number('of an echo'),
  'icmp.seq': number('of an echo'),
  'icmpv6.type': number('128 echo request, 129 reply, 133 to 136 neighbour discovery'),
  'icmpv6.code': number('which of its type'),
  'icmpv6.checksum': number('of the message'),
  'icmpv6.echo.identifier': number('of an echo'),
  'icmpv6.echo.sequence_number': number('of an echo'),
  'icmpv6.nd.ns.target_address': address('whom a neighbour solicitation is about'),
  'icmpv6.nd.na.target_address': address('whom a neighbour advertisement is about'),
  'icmpv6.nd.ra.cur_hop_limit': number('of a router advertisement'),
  'icmpv6.nd.ra.router_lifetime': number('in seconds'),
  'icmpv6.opt.linkaddr': address('of its sender or its target'),
  'icmpv6.opt.prefix': address('a prefix of the link'),
  'icmpv6.opt.mtu': number('of the link'),
  'udp.srcport': number('source'),
  'udp.dstport': number('destination'),
  'udp.length': number('bytes of header and payload'),
  'udp.checksum': number('0: it has none'),
  'tcp.srcport': number('source'),
  'tcp.dstport': number('destination'),
  'tcp.seq_raw': number('sequence number as it is sent'),
  'tcp.ack_raw': number('acknowledgement as it is sent'),
  'tcp.hdr_len': number('bytes of the header'),
  'tcp.len': number('bytes of payload'),
  'tcp.flags': number('all flags'),
  'tcp.flags.cwr': flag('congestion window reduced'),
  'tcp.flags.ece': flag('congestion was met'),
  'tcp.flags.urg': flag('the urgent pointer means something'),
  'tcp.flags.ack': flag('the acknowledgement means something'),
  'tcp.flags.push': flag('for the application at once'),
  'tcp.flags.reset': flag('the connection is gone'),
  'tcp.flags.syn': flag('the connection begins'),
  'tcp.flags.fin': flag('its sender sends no more'),
  'tcp.window_size_value': number('window as it is sent'),
  'tcp.checksum': number('of header and payload'),
  'tcp.urgent_pointer': number('where what is urgent ends'),
  'tcp.options.mss_val': number('largest segment it takes'),
  'tcp.options.wscale.shift': number('how the window is scaled'),
  'tcp.options.timestamp.tsval': number('timestamp'),
  'tcp.options.timestamp.tsecr': number('the timestamp it answers'),
  'dhcp.type': number('1 request, 2 reply'),
  'dhcp.id': number('transaction'),
  'dhcp.secs': number('since the client began'),
  'dhcp.ip.client': address('what the client has'),
  'dhcp.ip.your': address('what it is given'),
  'dhcp.ip.server': address('the next server to ask'),
  'dhcp.ip.relay': address('through which it came'),
  'dhcp.hw.mac_addr': address('the client'),
  'dhcp.file': text('boot file'),
  'dhcp.option.dhcp': number('1 discover, 2 offer, 3 request, 4 decline, 5 ack, 6 nak, 7 release, 8 inform'),
  'dhcp.option.subnet_mask': address('of the network'),
  'dhcp.option.router': address('of the network'),
  'dhcp.option.domain_name_server': address('of the network'),
  'dhcp.option.hostname': text('of the client'),
  'dhcp.option.domain_name': text('of the network'),
  'dhcp.option.requested_ip_address': address('what the client asks for'),
  'dhcp.option.ip_address_lease_time': number('in seconds'),
  'dhcp.option.dhcp_server_id': address('which server'),
  'dhcp.option.vendor_class_id': text('what the client is'),
  'dhcpv6.msgtype': number('1 solicit, 2 advertise, 3 request, 7 reply, 11 information request ...'),
  'dhcpv6.xid': number('transaction'),
  'ntp.flags.vn': number('version'),
  'ntp.flags.mode': number('3 client, 4 server'),
  'ntp.stratum': number('how far from a clock'),
  'dns.id': number('transaction'),
  'dns.flags.response': flag('an answer'),
  'dns.flags.opcode': number('0: a plain question'),
  'dns.flags.rcode': number('0 found, 2 failed, 3 no such name'),
  'dns.count.queries': number('questions'),
  'dns.count.answers': number('answers'),
  'dns.qry.name': text('what is asked for'),
  'dns.qry.type': number('1 A, 28 AAAA, 12 PTR ...'),
  'dns.resp.name': text('whose record it is'),
  'dns.resp.type': number('of a record'),
  'dns.resp.ttl': number('seconds a record may be kept'),
  'dns.a': address('an answer of type A'),
  'dns.aaaa': address('an answer of type AAAA'),
  'dns.cname': text('another name'),
  'dns.ptr.domain_name': text('the name of an address'),
  'tftp.opcode': number('1 read, 2 write, 3 data, 4 ack, 5 error, 6 option ack'),
  'tftp.source_file': text('what is read'),
  'tftp.destination_file': text('what is written'),
  'tftp.type': text('octet or netascii'),
  'tftp.block': number('of data'),
  'tftp.error.code': number('1 not found, 2 no access ...'),
  'tftp.error.message': text('in words'),
  'http.request.method': text('GET, POST ...'),
  'http.request.uri': text('what is asked for'),
  'http.request.version': text('HTTP/1.1'),
  'http.response.version': text('HTTP/1.1'),
  'http.response.code': number('200, 404 ...'),
  'http.response.phrase': text('in words'),
} as const satisfies Readonly<Record<string, PacketFieldRow>>;

/** Fields a packet has among those before it: known to who reads them in order. */
export const FLOW_FIELDS = {
  'tcp.stream': number('which connection, counted from 0'),
  'tcp.seq': number('sequence number, counted from the beginning of the connection'),
  'tcp.ack': number('acknowledgement, counted from the beginning of the connection'),
} as const satisfies Readonly<Record<string, PacketFieldRow>>;

/** A field of a packet. */
export type PacketField = keyof typeof OWN_FIELDS | keyof typeof FLOW_FIELDS;

/** Fields that are any of some others, which a condition finds in each of them. */
export const EITHER_FIELDS: Readonly<Record<string, readonly PacketField[]>> = {
  'eth.addr': ['eth.dst', 'eth.src'],
  'ip.addr': ['ip.src', 'ip.dst'],
  'ipv6.addr': ['ipv6.src', 'ipv6.dst'],
  'udp.port': ['udp.srcport', 'udp.dstport'],
  'tcp.port': ['tcp.srcport', 'tcp.dstport'],
  // As people say it who write filters for firewalls.
  'udp.sport': ['udp.srcport'],
  'udp.dport': ['udp.dstport'],
  'tcp.sport': ['tcp.srcport'],
  'tcp.dport': ['tcp.dstport'],
};

/** What a packet may be made of. A condition may ask for it by name: it is 1 or 0. */
export const PROTOCOLS = [
  ...['eth', 'vlan', 'arp', 'ip', 'ipv6', 'icmp', 'icmpv6', 'udp', 'tcp'],
  ...['dhcp', 'dhcpv6', 'dns', 'ntp', 'tftp', 'http'],
] as const;

/** Every name a condition about a packet by itself may use. */
export const PACKET_NAMES: readonly string[] = [
  ...Object.keys(OWN_FIELDS),
  ...Object.keys(EITHER_FIELDS),
  ...PROTOCOLS,
];

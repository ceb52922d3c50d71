/** Numbers of files of captured packets: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng). */

/** LINKTYPE_ETHERNET. */
export const ETHERNET = 1;

/** How a pcap begins whose times are in microseconds, and in nanoseconds. */
export const PCAP_MAGIC = { microseconds: 0xa1b2_c3d4, nanoseconds: 0xa1b2_3c4d } as const;

/** Types of pcapng's blocks. */
export const BLOCK = { sectionHeader: 0x0a0d_0d0a, interface: 1, simplePacket: 3, enhancedPacket: 6 } as const;

/** As whoever wrote a section has its bytes. */
export const BYTE_ORDER = 0x1a2b_3c4d;

/** `if_tsresol`, the option of an interface that says in which units its times are. */
export const TIME_RESOLUTION = 9;

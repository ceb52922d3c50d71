/* Drives every RTL8139 of its machine: registers, slots and rings of both modes, EEPROM, PHY, PCI configuration. */
#include "nic.h"

enum { IDR = 0, MAR = 8, TSD = 0x10, TSAD = 0x20, RBSTART = 0x30, CR = 0x37, CAPR = 0x38, CBR = 0x3a, IMR = 0x3c, CAUSES = 0x3e };
enum { TCR = 0x40, RCR = 0x44, TCTR = 0x48, MPC = 0x4c, EECR = 0x50, TIMER = 0x54, HLTCLK = 0x5b, BMCR = 0x62 };
enum { TPPOLL = 0xd9, CPCR = 0xe0, RDSAR = 0xe4, BAR_BYTES = 0x1000 };
enum { CHIP = 0x80000000, END = 0x40000000, FIRST = 0x20000000, LAST = 0x10000000, LARGE = 0x08000000, TAG = 0x20000 };

const u32 identity = 0x813910ec;

/* Where registers are that do something; others come by chance. */
static const u8 known[] = {
  IDR, 5, MAR, TSD, TSD + 4, TSD + 12, TSAD, TSAD + 4, TSAD + 12, RBSTART, CR, CAPR, CBR, IMR, CAUSES, TCR, RCR, TCTR, MPC,
  EECR, 0x51, 0x52, TIMER, 0x58, 0x59, 0x5a, HLTCLK, 0x5c, 0x5e, 0x60, BMCR, 0x64, 0x66, 0x68, 0x6a, 0x74, 0xd8, TPPOLL,
  CPCR, 0xe2, RDSAR, RDSAR + 4, 0xec,
};

static struct { u32 *sent, *received, tail, slot, ring; } cards[MOST_DEVICES];

static u32 get(u32 i, u32 at, u32 size) { return memory_read(devices[i].memory + at, size); }
static void put(u32 i, u32 at, u32 size, u32 value) { memory_write(devices[i].memory + at, size, value); }

void quiet(u32 i) { put(i, CAUSES, 2, get(i, CAUSES, 2)); }

void seat(u32 i) {
  struct device *device = &devices[i];
  device->memory = BARS + BAR_BYTES * i, device->port = 0xc000 + 0x100 * i;
  config_write(device, 0x10, 4, device->port);
  config_write(device, 0x14, 4, device->memory);
  config_write(device, 4, 2, 7);
}

static void random_register(u32 i) {
  u32 size = 1 << below(3), at = once(5) ? below(256) : known[below(sizeof known)], port = devices[i].port;
  at &= -size;
  if (once(3)) memory_read(devices[i].memory + at, size);
  else if (once(2)) memory_write(devices[i].memory + at, size, word());
  else if (size == 1) outb(port + at, word());
  else if (size == 2) outw(port + at, word());
  else outl(port + at, word());
}

/* A frame with headers of TCP over IPv4, mostly right. */
static void head(u64 at, u32 length) {
  address_frame(at);
  if (at < ARENA || at >= ARENA_END - 128 || once(3)) return;
  u8 *bytes = (u8 *)(u32)at;
  u32 total = length - 14;
  bytes[12] = 8, bytes[13] = 0, bytes[14] = once(8) ? word() : 0x45;
  bytes[16] = once(8) ? word() : total >> 8, bytes[17] = total, bytes[23] = once(4) ? 17 : 6;
  bytes[46] = once(8) ? word() : 0x50, bytes[47] = word();
}

static u32 length_drawn(void) { return once(10) ? word() & 0xffff : 60 + below(once(4) ? 8000 : 1500); }

static void send_slot(u32 i) {
  u32 slot = once(8) ? below(4) : cards[i].slot, length = length_drawn();
  u64 address = buffer(length);
  head(address, length);
  put(i, TSAD + 4 * slot, 4, address);
  put(i, TSD + 4 * slot, 4, once(8) ? word() : length & 0x1fff);
  cards[i].slot = (slot + 1) % 4;
}

static void set_up_ring(u32 i) {
  cards[i].sent = allocate(16 * 64, 16), cards[i].tail = 0;
  put(i, CPCR, 2, once(8) ? word() : 0x43);
  put(i, TSAD, 4, (u32)cards[i].sent);
  put(i, TSAD + 4, 4, once(20) ? word() : 0);
  put(i, CR, 1, 0x0c);
}

static void send_ring(u32 i) {
  if (cards[i].sent == 0 || once(10)) set_up_ring(i);
  for (u32 frames = 1 + below(4); frames > 0; frames--) {
    u32 large = once(3) ? LARGE | (once(6) ? word() & 0x7ff0000 : (100 + below(1400)) << 16) : below(8) << 16;
    for (u32 pieces = 1 + below(3), left = pieces; left > 0; left--) {
      u32 length = once(40) ? 0 : length_drawn();
      u64 address = buffer(length);
      if (left == pieces) head(address, length * pieces);
      u32 end = cards[i].tail == 63 || once(30) ? END : 0;
      u32 part = (left == pieces && !once(10) ? FIRST : 0) | (left == 1 && !once(10) ? LAST : 0);
      u32 *at = cards[i].sent + 4 * cards[i].tail;
      descriptor(at, (once(30) ? 0 : CHIP) | end | part | large | length, once(4) ? TAG | below(0x10000) : 0, address, address >> 32);
      cards[i].tail = end ? 0 : cards[i].tail + 1;
    }
  }
  put(i, TPPOLL, 1, once(10) ? word() : 0x40);
}

static void set_up_descriptors(u32 i) {
  cards[i].received = allocate(16 * 64, 16);
  for (u32 at = 0; at < 64; at++) {
    u64 address = buffer(2048);
    u32 last = at == 63 || once(40) ? END : 0;
    descriptor(cards[i].received + 4 * at, (once(12) ? 0 : CHIP) | last | (once(8) ? word() & 0x1fff : 2047), word(), address, address >> 32);
  }
  put(i, CPCR, 2, 0x43);
  put(i, RDSAR, 4, (u32)cards[i].received);
  put(i, RDSAR + 4, 4, once(20) ? word() : 0);
}

void begin(u32 i) {
  if (!once(4)) put(i, CR, 1, 0x10);
  cards[i].slot = 0;
  put(i, RBSTART, 4, once(10) ? word() : (u32)allocate(0x10000 + 2048, 16));
  put(i, CR, 1, once(12) ? word() : 0x0c);
  put(i, RCR, 4, once(4) ? word() : 0x0f | below(4) << 11 | below(2) << 7);
  if (once(2)) set_up_descriptors(i);
  put(i, IMR, 2, once(3) ? word() : 0xe07f);
  if (once(3)) wait_long();
}

static void receive(u32 i) {
  if (once(3)) begin(i);
  else put(i, CAPR, 2, once(4) ? word() : get(i, CBR, 2) - 16);
}

static void eeprom(u32 i) {
  for (u32 count = below(60); count > 0; count--) put(i, EECR, 1, once(8) ? word() : 0x80 | below(16));
  get(i, EECR, 1);
}

static void tally(u32 i) {
  u64 address = buffer(64);
  put(i, CPCR, 2, 0x43);
  put(i, TSD + 4, 4, address >> 32);
  put(i, TSD, 4, ((u32)address & ~63) | 8);
}

static void timer(u32 i) {
  put(i, TCTR, 4, 0);
  put(i, TIMER, 4, once(3) ? word() : below(100000));
}

static void function(u32 i) {
  struct device *device = &devices[i];
  switch (below(4)) {
    case 0: config_write(device, 4, 2, word()); return;
    case 1: config_write(device, 4 * below(64), 4, config_read(device, 4 * below(64), 4)); return;
    default: seat(i);
  }
}

void step(u32 i) {
  switch (below(16)) {
    case 0: case 1: case 2: random_register(i); return;
    case 3: put(i, BMCR, 2, once(2) ? word() : 0x8000); return;
    case 4: eeprom(i); return;
    case 5: if (once(3)) function(i); return;
    case 6: put(i, TCR, 4, once(2) ? word() : once(2) ? 0x60000 : 0x3000700); return;
    case 7: tally(i); return;
    case 8: wait_some(); return;
    case 9: timer(i); if (once(2)) wait_long(); return;
    case 10: case 11: receive(i); return;
    case 12: case 13: send_slot(i); return;
    default: send_ring(i);
  }
}

/* Drives every 82540EM of its machine: registers, rings, EEPROM, PHY, PCI configuration. */
#include "nic.h"

enum { CTRL = 0, STATUS = 8, EECD = 0x10, EERD = 0x14, MDIC = 0x20, ICR = 0xc0, ICS = 0xc8, IMS = 0xd0, RCTL = 0x100, TCTL = 0x400 };
enum { RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818 };
enum { TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818 };
enum { EOP = 0x01000000, SEGMENT = 0x04000000, REPORT = 0x08000000, EXTENDED = 0x20000000, TAGGED = 0x40000000, DELAYED = 0x80000000, DATA = 0x00100000 };
enum { BAR_BYTES = 0x20000 };

const u32 identity = 0x100e8086;

/* Where registers are that do something; others come by chance. */
static const u16 known[] = {
  CTRL, STATUS, EECD, EERD, MDIC, 0x38, ICR, 0xc4, ICS, IMS, 0xd8, RCTL, TCTL, 0x458, 0xe00, 0x1000,
  RDBAL, RDBAH, RDLEN, RDH, RDT, 0x2820, 0x282c, TDBAL, TDBAH, TDLEN, TDH, TDT, 0x3828, 0x382c,
  0x4010, 0x40a0, 0x4074, 0x4078, 0x407c, 0x4080, 0x408c, 0x4094, 0x40c4, 0x40cc, 0x40d0, 0x40d4, 0x40f8,
  0x5200, 0x5204, 0x5400, 0x5404, 0x5408, 0x540c, 0x5600, 0x560c, 0x5820, 0x9000, 0x9800,
};

static struct { u32 *ring, size, tail; } sent[MOST_DEVICES], received[MOST_DEVICES];

void quiet(u32 i) { memory_read(devices[i].memory + ICR, 4); }

void seat(u32 i) {
  struct device *device = &devices[i];
  device->memory = BARS + BAR_BYTES * i;
  config_write(device, 0x10, 4, device->memory);
  config_write(device, 0x14, 4, 0xc000 + 0x40 * i);
  config_write(device, 4, 2, 7);
}

static u32 get(u32 i, u32 at) { return memory_read(devices[i].memory + at, 4); }
static void put(u32 i, u32 at, u32 value) { memory_write(devices[i].memory + at, 4, value); }

static void random_register(u32 i) {
  u32 at = once(4) ? 4 * below(BAR_BYTES / 4) : known[below(sizeof known / sizeof *known)];
  u32 size = once(6) ? 1 << below(2) : 4;
  if (size < 4) at += below(4 / size) * size;
  if (once(3)) memory_read(devices[i].memory + at, size);
  else memory_write(devices[i].memory + at, size, word());
}

static void set_up_send(u32 i) {
  u32 size = 8 << below(4);
  sent[i].ring = allocate(16 * size, 16), sent[i].size = size, sent[i].tail = 0;
  put(i, TDBAL, (u32)sent[i].ring);
  put(i, TDBAH, once(30) ? word() : 0);
  put(i, TDLEN, once(20) ? word() : 16 * size);
  put(i, TDH, once(20) ? word() : 0);
  put(i, TDT, once(20) ? word() : 0);
  put(i, TCTL, once(10) ? word() : 2);
}

static u32 *next_sent(u32 i) {
  u32 *at = sent[i].ring + 4 * sent[i].tail;
  sent[i].tail = (sent[i].tail + 1) % sent[i].size;
  return at;
}

static void context(u32 i) {
  u32 header = once(4) ? below(256) : 54;
  u32 segment = once(3) ? word() : 100 + below(1400);
  u32 command = EXTENDED | (once(2) ? SEGMENT : 0) | below(4) << 24 | (once(3) ? word() & 0xfffff : below(9000));
  u32 ip = once(3) ? word() : 14 | 24 << 8 | 33 << 16;
  u32 tcp = once(3) ? word() : 34 | 50 << 8;
  u32 *at = next_sent(i);
  at[0] = ip, at[1] = tcp, at[2] = command, at[3] = header << 8 | segment << 16;
}

/* A frame in pieces, which may lack its end. */
static void frame(u32 i) {
  u32 kind = once(2) ? 0 : EXTENDED | DATA | (once(2) ? SEGMENT : 0);
  u32 pieces = 1 + below(4);
  while (pieces--) {
    u32 length = once(8) ? word() & 0xffff : below(once(3) ? 8000 : 1600);
    u64 address = buffer(length);
    address_frame(address);
    u32 bits = (once(2) ? REPORT : 0) | (once(4) ? TAGGED : 0) | (once(5) ? DELAYED : 0);
    u32 end = pieces == 0 && !once(8) ? EOP : 0;
    u32 upper = below(4) << 8 | below(16) | word() << 16;
    descriptor(next_sent(i), address, address >> 32, kind | bits | end | length, upper);
  }
}

static void send(u32 i) {
  if (sent[i].ring == 0 || once(10)) set_up_send(i);
  for (u32 count = 1 + below(4); count > 0; count--) {
    if (once(3)) context(i);
    else frame(i);
  }
  put(i, TDT, once(30) ? word() : sent[i].tail);
}

static void set_up_receive(u32 i) {
  u32 size = 8 << below(4);
  received[i].ring = allocate(16 * size, 16), received[i].size = size;
  for (u32 at = 0; at < size; at++) {
    u64 address = buffer(2048);
    descriptor(received[i].ring + 4 * at, address, address >> 32, word(), once(8) ? word() : 0);
  }
  put(i, RDBAL, (u32)received[i].ring);
  put(i, RDBAH, once(30) ? word() : 0);
  put(i, RDLEN, once(20) ? word() : 16 * size);
  put(i, RDH, once(20) ? word() : 0);
  put(i, RCTL, once(10) ? word() : 2 | (word() & 0x0607f33c));
  put(i, RDT, once(20) ? word() : size - 1);
  if (!once(3)) wait_long();
}

static void receive(u32 i) {
  if (received[i].ring == 0 || once(6)) set_up_receive(i);
  else put(i, RDT, once(8) ? word() : (get(i, RDH) + received[i].size - 1) % received[i].size);
}

static void phy(u32 i) {
  u32 data = once(2) ? word() & 0xffff : once(2) ? 0x1200 : 0x5140;
  put(i, MDIC, (once(8) ? word() & 0x3e00000 : 1 << 21) | (once(2) ? 0 : below(32) << 16) | below(16) << 26 | data);
  get(i, MDIC);
}

static void eeprom(u32 i) {
  put(i, EERD, once(2) ? word() : below(80) << 8 | 1);
  get(i, EERD);
  for (u32 count = below(40); count > 0; count--) put(i, EECD, once(4) ? word() : 0x42 | below(8));
  get(i, EECD);
}

static void function(u32 i) {
  struct device *device = &devices[i];
  switch (below(4)) {
    case 0: config_write(device, 4, 2, word()); return;
    case 1: config_write(device, 4 * below(64), 4, config_read(device, 4 * below(64), 4)); return;
    default: seat(i);
  }
}

void begin(u32 i) { receive(i); }

void step(u32 i) {
  switch (below(16)) {
    case 0: case 1: case 2: random_register(i); return;
    case 3: phy(i); return;
    case 4: eeprom(i); return;
    case 5: if (once(3)) function(i); return;
    case 6: put(i, CTRL, once(2) ? word() : 0x40140240); return;
    case 7: put(i, IMS, once(2) ? word() : 0x9f); put(i, ICS, word()); return;
    case 8: wait_some(); return;
    case 9: if (once(4)) wait_long(); return;
    case 10: case 11: case 12: receive(i); return;
    default: send(i);
  }
}

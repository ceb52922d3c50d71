/* Requests in rings: right for the most part, with something amiss now and then. */
#include "driver.h"

enum { SECTOR = 512, SECTORS = 2048, MOST_PARTS = 12, LONG_TABLE = 1100 };
enum { IN = 0, OUT = 1, SCSI = 2, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };

static struct descriptor parts[MOST_PARTS];
static u32 partCount;

static void add(void *at, u32 length, u16 flags) {
  if (partCount < MOST_PARTS) parts[partCount++] = (struct descriptor){(u32)at, length, flags, 0};
}

/* As one buffer, or as two or three. */
static void add_split(u8 *at, u32 length, u16 flags) {
  while (length > 1 && once(4) && partCount < MOST_PARTS - 4) {
    u32 some = 1 + below(length - 1);
    add(at, some, flags);
    at += some, length -= some;
  }
  add(at, length, flags);
}

static u32 type_drawn(void) {
  static const u8 TYPES[] = {IN, IN, IN, OUT, OUT, OUT, OUT, FLUSH, FLUSH, GET_ID, DISCARD, WRITE_ZEROES, WRITE_ZEROES};
  u32 type = once(12) ? word() : once(20) ? SCSI : TYPES[below(sizeof TYPES)];
  if (once(20)) type ^= 0x80000000;
  return once(30) ? type ^ 1 : type;
}

static u32 length_drawn(void) {
  if (once(10)) return word();
  if (once(12)) return below(3000);
  return once(4) ? 4096 * (1 + below(4)) : SECTOR * (1 + below(6));
}

static u64 sector_drawn(u32 count) {
  if (once(10)) return SECTORS - below(8);
  if (once(16)) return (u64)word() << 32 | word();
  return below(SECTORS - count % 64) & (once(3) ? ~0u : ~7u);
}

struct header {
  u32 type, priority;
  u64 sector;
};
struct range {
  u64 sector;
  u32 count, flags;
};

static void block_request(void) {
  u32 type = type_drawn(), length = length_drawn(), count = length / SECTOR, kind = type & 0x7fffffff;
  struct header *header = allocate(sizeof *header, 8);
  *header = (struct header){type, 0, sector_drawn(count)};
  if (kind == DISCARD || kind == WRITE_ZEROES) {
    struct range *range = allocate(2 * sizeof *range, 8);
    *range = (struct range){header->sector, once(12) ? word() : count, once(4) ? word() : kind == WRITE_ZEROES && once(2)};
    add_split((u8 *)header, sizeof *header, 0);
    add_split((u8 *)range, once(10) ? below(33) : sizeof *range, 0);
  } else {
    u32 room = length < 0x10000 ? length : 0x10000, isOut = type & 1;
    u8 *data = allocate(room, once(3) ? 1 : 512);
    if (isOut) for (u32 at = 0; at < room; at += 64) *(u32 *)(data + at) = chance();
    if (isOut && once(12)) add_split((u8 *)header, sizeof *header, 0), length = 0;
    else add_split((u8 *)header, sizeof *header, 0);
    if (kind == GET_ID) length = once(3) ? below(40) : 20;
    if (kind != FLUSH && length != 0) add_split(data, length, isOut ? 0 : WRITE);
  }
  add(allocate(1, 1), once(20) ? 3 : 1, WRITE);
}

static void entropy_request(void) {
  u32 buffers = 1 + below(3);
  while (buffers--) add(allocate(256, 1), once(40) ? word() : 1 + below(200), once(10) ? 0 : WRITE);
}

enum { RECEIVE, TRANSMIT, ARP = 0x0608, MOST_FRAME = 4096 + 65536 };

static u32 room_drawn(void) {
  if (once(6)) return 1 + below(80);
  if (once(16)) return word();
  return once(3) ? 4096 : 1526 + below(600);
}

static void receive_buffer(void) {
  u32 buffers = once(3) ? 1 + below(4) : 1;
  while (buffers--) {
    u32 room = room_drawn();
    add_split(allocate(room < 4096 ? room : 4096, 2), room, once(30) ? 0 : WRITE);
  }
}

/* Frames of all lengths, more often those of wires. */
static u32 frame_drawn(void) {
  static const u32 LENGTHS[] = {0, 1, 13, 14, 42, 60, 60, 60, 64, 1514, 1514, 9000, 65535, MOST_FRAME, 70000};
  return once(6) ? below(2000) : LENGTHS[below(sizeof LENGTHS / 4)];
}

static u32 header_length(struct device *device) {
  if (once(24)) return below(30);
  if (device->way == LEGACY || !(device->accepted[1] & 1)) return device->accepted[0] >> 15 & 1 ? 12 : 10;
  return device->accepted[1] >> 25 & 1 ? 20 : 12;
}

/* Who has 10.0.2.2? Somebody answers that. Others are for anybody, or for nobody. */
static void fill_frame(u8 *frame) {
  static const u8 QUESTION[] = {0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};
  u32 isToAll = !once(4);
  for (u32 at = 0; at < 12; at++) frame[at] = at < 6 && isToAll ? 0xff : chance();
  *(u16 *)(frame + 12) = once(2) ? ARP : once(3) ? 0x0081 : word();
  if (once(4)) *(u16 *)(frame + 14) = word();
  else for (u32 at = 0; at < sizeof QUESTION; at++) frame[14 + at] = QUESTION[at];
}

static void transmit_request(struct device *device) {
  u32 header = header_length(device), length = frame_drawn(), room = header + length;
  u8 *data = allocate((room < 2048 ? 2048 : room < 0x12000 ? room : 0x12000) + 32, once(3) ? 1 : 64);
  for (u32 at = 0; at < header; at++) data[at] = once(40) ? chance() : 0;
  fill_frame(data + header);
  if (once(2)) add_split(data, header, 0), add_split(data + header, length, 0);
  else add_split(data, room, 0);
  if (once(30)) add(allocate(64, 1), 64, WRITE);
}

/* Queues a driver wants: two pairs, or frames spread over them. */
static void control_spread(u8 *data) {
  *(u16 *)data = once(2) ? 4 : 0x0104;
  if (once(2)) *(u16 *)(data + 2) = below(3);
  else *(u32 *)(data + 2) = once(8) ? word() : 0x1ff, *(u16 *)(data + 6) = once(4) ? word() : 1;
  *(u16 *)(data + 8) = once(4) ? word() : 0;
  *(u32 *)(data + 10) = below(4) << 16 | below(4);
  *(u16 *)(data + 14) = once(4) ? word() : 2, data[16] = once(4) ? chance() : 38;
}

static void control_request(void) {
  u8 *data = allocate(1024, 4);
  u32 length = once(3) ? below(600) : 2 + below(12);
  for (u32 at = 2; at < 16; at++) data[at] = once(3) ? chance() : below(4);
  data[0] = once(16) ? word() : below(6), data[1] = once(16) ? word() : below(6);
  if (once(3)) *(u16 *)data = 1, *(u32 *)(data + 2) = below(70), length = 10 + 6 * below(70);
  if (once(3)) *(u16 *)data = 0, data[2] = below(2), length = 3;
  if (once(4)) control_spread(data), length = once(3) ? below(80) : 55;
  add_split(data, length, 0);
  if (!once(30)) add(allocate(4, 1), 1 + below(3), WRITE);
}

static void network_request(struct device *device, u32 number) {
  if (number >= 2 && number == device->queueCount - 1) control_request();
  else if (number % 2 == RECEIVE) receive_buffer();
  else transmit_request(device);
}

/* One thing amiss. */
static void spoil(void) {
  struct descriptor *part = &parts[below(partCount)];
  switch (below(7)) {
    case 0: case 1: part->address = wild(); return;
    case 2: part->length = word(); return;
    case 3: part->flags ^= 1u << below(16); return;
    case 4: if (partCount > 1) partCount--; return;
    case 5: part->length = 0; return;
    default: {
      struct descriptor other = parts[0];
      parts[0] = *part, *part = other;
    }
  }
}

/* Descriptors one after another, of a table so long. A chain may lead in a circle, or out of its table. */
static void link(struct descriptor *table, u32 first, u32 size) {
  for (u32 i = 0; i < partCount; i++) {
    u32 isLast = i == partCount - 1;
    struct descriptor *to = &table[(first + i) % size];
    *to = parts[i];
    to->flags |= isLast ? 0 : NEXT;
    to->next = isLast ? 0 : (first + i + 1) % size;
  }
  if (!once(40)) return;
  struct descriptor *odd = &table[(first + below(partCount)) % size];
  odd->flags |= NEXT;
  odd->next = once(2) ? first : word();
}

/* A chain far longer than any ring may have. */
static u32 long_table(struct descriptor *table) {
  for (u32 i = 0; i < LONG_TABLE; i++) table[i] = (struct descriptor){ARENA + i, 1, i == LONG_TABLE - 1 ? 0 : NEXT, i + 1};
  return LONG_TABLE;
}

static void indirect(struct queue *queue, u32 head) {
  u32 isLong = once(60), room = isLong ? LONG_TABLE : once(10) ? 80 : partCount;
  struct descriptor *table = allocate(16 * room, 16);
  if (isLong) long_table(table);
  else link(table, 0, room);
  struct descriptor *to = &queue->desc[head];
  *to = (struct descriptor){(u32)table, 16 * room, INDIRECT, 0};
  if (once(24)) to->length = word();
  if (once(24)) to->address = wild();
  if (once(24)) to->flags |= word();
  if (once(40)) table[0].flags |= INDIRECT;
}

static void offer(struct queue *queue, u32 head) {
  queue->avail[2 + queue->made % queue->size] = once(60) ? word() : head;
  queue->made++;
}

static void put_request(struct device *device, u32 number) {
  struct queue *queue = &device->queues[number];
  partCount = 0;
  if (device->kind == ENTROPY) entropy_request();
  else if (device->kind == NETWORK) network_request(device, number);
  else block_request();
  if (once(8)) spoil();
  u32 head = queue->next % queue->size;
  u32 isIndirect = partCount > queue->size || (once(3) && (once(12) || device->accepted[0] >> 28 & 1));
  if (isIndirect) indirect(queue, head), queue->next++;
  else link(queue->desc, head, queue->size), queue->next += partCount;
  offer(queue, head);
}

/* What the device looks at besides: whether it is to interrupt, and from where on. */
static void odd_ring(struct queue *queue) {
  switch (below(6)) {
    case 0: queue->avail[0] = below(2); return;
    case 1: queue->avail[2 + queue->size] = once(2) ? queue->made + below(3) : word(); return;
    case 2: if (once(4)) queue->made += below(queue->size + 2); return;
    case 3: queue->desc[below(queue->size)].flags = word(); return;
    case 4: queue->desc[below(queue->size)].address = wild(); return;
    default: if (once(8)) queue->used[1] = word();
  }
}

/* Room for what may come back. */
static void offer_room(struct device *device) {
  struct queue *queue = &device->queues[RECEIVE];
  if (queue->size == 0 || queue->size > 1024) return;
  for (u32 count = below(4); count > 0; count--) put_request(device, RECEIVE);
  queue->avail[1] = queue->made;
  if (!once(4)) notify(device, RECEIVE);
}

/* Some requests, told of at once or one by one, and waited for or not. */
void ask(struct device *device) {
  if (device->queueCount == 0) return;
  u32 number = below(device->queueCount), count = 1 + below(4);
  struct queue *queue = &device->queues[number];
  if (queue->size == 0 || queue->size > 1024) return;
  if (device->kind == NETWORK && number == TRANSMIT) offer_room(device);
  while (count--) {
    put_request(device, number);
    if (once(12)) odd_ring(queue);
    if (once(6)) queue->avail[1] = queue->made, notify(device, number);
  }
  queue->avail[1] = queue->made;
  notify(device, number);
  if (!once(4)) wait_some();
}

/* Registers of a virtio device by either interface, set up as they should be for the most part. */
#include "driver.h"

enum { PAGE = 4096, VERSION_1 = 1, RING_RESET = 1 << 8 };

static void point_window(struct device *device, enum structure structure, u32 at, u32 size) {
  config_write(device, device->window + 4, 1, 4);
  config_write(device, device->window + 8, 4, structure + at);
  config_write(device, device->window + 12, 4, size);
}

/* Of the modern interface. */
u32 read_register(struct device *device, enum structure structure, u32 at, u32 size) {
  if (device->way != WINDOW) return memory_read(device->memory + structure + at, size);
  point_window(device, structure, at, size);
  return config_read(device, device->window + 16, size);
}

void write_register(struct device *device, enum structure structure, u32 at, u32 size, u32 value) {
  if (device->way != WINDOW) return memory_write(device->memory + structure + at, size, value);
  point_window(device, structure, at, size);
  config_write(device, device->window + 16, size, value);
}

u32 status_of(struct device *device) {
  return device->way == LEGACY ? inb(device->port + L_STATUS) : read_register(device, COMMON, C_STATUS, 1);
}

void set_status(struct device *device, u32 value) {
  if (device->way == LEGACY) outb(device->port + L_STATUS, value);
  else write_register(device, COMMON, C_STATUS, 1, value);
}

void select_queue(struct device *device, u32 queue) {
  if (device->way == LEGACY) outw(device->port + L_SELECT, queue);
  else write_register(device, COMMON, C_SELECT, 2, queue);
}

static u32 vector(struct device *device) { return once(10) ? word() : device->usesMsix ? below(device->vectors) : 0xffff; }

/* Most of what is offered, and always what makes the interface work; now and then anything. */
static u32 accepted(u32 offered, u32 needed) {
  if (once(16)) return word();
  return once(2) ? offered : (offered & (chance() | chance())) | needed;
}

static void negotiate(struct device *device) {
  if (device->way == LEGACY) {
    device->offered[0] = inl(device->port + L_FEATURES);
    device->accepted[0] = accepted(device->offered[0] & ~(1u << 30), 0);
    device->accepted[1] = 0;
    outl(device->port + L_ACCEPT, device->accepted[0]);
    return;
  }
  for (u32 half = 0; half < 2; half++) {
    write_register(device, COMMON, C_OFFERED_SELECT, 4, half);
    device->offered[half] = read_register(device, COMMON, C_OFFERED, 4);
    device->accepted[half] = accepted(device->offered[half], half && !once(8) ? VERSION_1 : 0);
    write_register(device, COMMON, C_ACCEPT_SELECT, 4, once(20) ? word() : half);
    write_register(device, COMMON, C_ACCEPT, 4, device->accepted[half]);
  }
  set_status(device, ACKNOWLEDGE | DRIVER | FEATURES_OK);
}

static void begin(struct queue *queue, void *desc, void *avail, void *used) {
  queue->desc = desc;
  queue->avail = avail;
  queue->used = used;
  queue->made = queue->next = 0;
  queue->avail[0] = once(4);
  queue->avail[1] = 0;
  queue->used[1] = 0;
}

static void legacy_queue(struct device *device, struct queue *queue) {
  queue->size = inw(device->port + L_SIZE);
  if (queue->size == 0) return;
  u32 used = (18 * queue->size + 6 + PAGE - 1) & -PAGE;
  u8 *ring = allocate(used + 6 + 8 * queue->size, PAGE);
  begin(queue, ring, ring + 16 * queue->size, ring + used);
  outl(device->port + L_PFN, once(24) ? (u32)(wild() >> 12) : (u32)ring >> 12);
  if (device->usesMsix) outw(device->port + L_VECTOR, vector(device));
}

static void put64(struct device *device, u32 at, u64 value) {
  write_register(device, COMMON, at, 4, value);
  write_register(device, COMMON, at + 4, 4, value >> 32);
}

static u64 mostly(void *place) { return once(24) ? wild() : (u32)place; }

static void modern_queue(struct device *device, struct queue *queue) {
  if (once(4)) write_register(device, COMMON, C_SIZE, 2, once(3) ? word() : 1u << below(11));
  queue->size = read_register(device, COMMON, C_SIZE, 2);
  if (queue->size == 0 || queue->size > 1024) return;
  begin(queue, allocate(16 * queue->size, 16), allocate(6 + 2 * queue->size, 2), allocate(6 + 8 * queue->size, 4));
  put64(device, C_DESC, mostly(queue->desc));
  put64(device, C_AVAIL, mostly((void *)queue->avail));
  put64(device, C_USED, mostly((void *)queue->used));
  write_register(device, COMMON, C_VECTOR, 2, vector(device));
  if (!once(20)) write_register(device, COMMON, C_ENABLE, 2, once(30) ? word() : 1);
}

static void set_up_queue(struct device *device, u32 number) {
  select_queue(device, number);
  if (device->way == LEGACY) legacy_queue(device, &device->queues[number]);
  else modern_queue(device, &device->queues[number]);
}

static u32 count_queues(struct device *device) {
  if (device->way != LEGACY) return read_register(device, COMMON, C_QUEUES, 2);
  for (u32 queue = 0;; queue++) {
    select_queue(device, queue);
    if (queue == MOST_QUEUES || inw(device->port + L_SIZE) == 0) return queue;
  }
}

/* Reset, features, queues, at work; a step is left out now and then. */
void set_up(struct device *device) {
  device->way = !device->hasModern ? LEGACY : device->hasLegacy && once(3) ? LEGACY : once(5) ? WINDOW : MODERN;
  if (!once(16)) set_status(device, 0);
  set_status(device, ACKNOWLEDGE);
  set_status(device, ACKNOWLEDGE | DRIVER);
  if (!once(16)) negotiate(device);
  device->queueCount = count_queues(device);
  if (device->queueCount > MOST_QUEUES) device->queueCount = MOST_QUEUES;
  for (u32 queue = 0; queue < device->queueCount; queue++) {
    device->queues[queue].size = 0;
    if (!once(10)) set_up_queue(device, queue);
  }
  if (device->way != LEGACY) write_register(device, COMMON, C_CONFIG_VECTOR, 2, vector(device));
  else if (device->usesMsix) outw(device->port + L_CONFIG_VECTOR, vector(device));
  if (!once(16)) set_status(device, ACKNOWLEDGE | DRIVER | DRIVER_OK | (device->way == LEGACY ? 0 : FEATURES_OK));
  device->isLive = 1;
}

void notify(struct device *device, u32 queue) {
  u32 number = once(24) ? word() & 0x3ff : queue;
  if (device->way == LEGACY) outw(device->port + L_NOTIFY, number);
  else write_register(device, NOTIFY, number * device->notifyMultiplier & 0xfff, 2, number);
}

/* Queues in odd orders: reset, enabled again, resized while at work. */
static void odd_queue(struct device *device) {
  u32 number = below(MOST_QUEUES);
  select_queue(device, once(6) ? word() : number);
  if (device->way == LEGACY) {
    if (once(3)) outl(device->port + L_PFN, once(3) ? 0 : word());
    else if (once(2)) outw(device->port + L_VECTOR, word());
    else set_up_queue(device, number);
    return;
  }
  switch (below(6)) {
    case 0: write_register(device, COMMON, C_RESET, 2, once(3) ? word() : 1); break;
    case 1: write_register(device, COMMON, C_ENABLE, 2, once(6) ? word() : 1); break;
    case 2: write_register(device, COMMON, C_SIZE, 2, word()); break;
    case 3: write_register(device, COMMON, C_DESC + 4 * below(6), 4, word()); break;
    default:
      if (once(2)) write_register(device, COMMON, C_RESET, 2, 1);
      set_up_queue(device, number);
  }
  for (u32 at = C_SIZE; at < 64; at += 2)
    if (once(8)) read_register(device, COMMON, at, once(2) ? 2 : 4);
}

/* The device's own: capacity, cache, whatever lies beyond. */
static void own_configuration(struct device *device) {
  u32 at = once(2) ? 0x20 : below(0x60), size = 1 << below(3), value = once(2) ? below(2) : word();
  if (device->way == LEGACY) {
    u32 port = device->port + (device->usesMsix ? 24 : 20) + (at & 0x3f);
    if (once(3)) inb(port);
    else if (size == 1) outb(port, value);
    else outl(port, value);
  } else if (once(3)) read_register(device, OWN, at, size);
  else write_register(device, OWN, at, size, value);
}

/* A register of the legacy interface as it is, or some bytes of them. */
static void any_port(struct device *device) {
  static const u8 PLACES[][2] = {{0, 4}, {4, 4}, {8, 4}, {12, 2}, {14, 2}, {16, 2}, {18, 1}, {19, 1}, {20, 2}, {22, 2}, {24, 1}};
  const u8 *place = PLACES[below(sizeof PLACES / 2)];
  u32 at = once(3) ? below(70) : place[0], size = once(3) ? 1u << below(3) : place[1];
  u16 port = device->port + at;
  if (!once(3)) size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
  else if (size == 1) outb(port, word());
  else if (size == 2) outw(port, once(2) ? below(4) : word());
  else outl(port, word());
}

static void any_register(struct device *device) {
  static const enum structure STRUCTURES[] = {COMMON, COMMON, ISR, OWN, NOTIFY};
  u32 size = 1 << below(3), at = below(70);
  if (device->hasLegacy && once(2)) return any_port(device);
  if (!device->hasModern) return;
  enum structure structure = STRUCTURES[below(5)];
  if (once(2)) read_register(device, structure, at, size);
  else write_register(device, structure, at, size, word());
}

void odd_register(struct device *device) {
  switch (below(8)) {
    case 0: set_status(device, once(2) ? word() & 0xff : status_of(device) ^ 1u << below(8)); return;
    case 1: set_status(device, 0); return;
    case 2: own_configuration(device); return;
    case 3: case 4: case 5: any_register(device); return;
    default: odd_queue(device);
  }
}

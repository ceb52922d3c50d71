/* Virtio devices as PCI functions: found, placed, and told odd things. */
#include "driver.h"

enum { COMMAND = 4, BAR0 = 0x10, BAR1 = 0x14, BAR4 = 0x20, CAPABILITIES = 0x34, VENDOR = 9, MSIX = 0x11 };

struct device devices[MOST_DEVICES];
u32 deviceCount;

static u32 msix_table(struct device *device) { return device->memory + 0x800000; }

static void look_at_capabilities(struct device *device) {
  for (u32 at = config_read(device, CAPABILITIES, 1); at != 0; at = config_read(device, at + 1, 1)) {
    u32 id = config_read(device, at, 1);
    u32 type = config_read(device, at + 3, 1);
    if (id == MSIX) device->msix = at, device->vectors = (config_read(device, at + 2, 2) & 0x7ff) + 1;
    else if (id == VENDOR && type == 5) device->window = at;
    else if (id == VENDOR && type == 2) device->notifyMultiplier = config_read(device, at + 16, 4);
  }
}

void find_devices(void) {
  struct device bridge = {.slot = 1};
  for (u32 pin = 0; pin < 4; pin++) config_write(&bridge, 0x60 + pin, 1, 10 + (pin & 1));
  for (u32 slot = 2; slot < 32 && deviceCount < MOST_DEVICES; slot++) {
    struct device *device = &devices[deviceCount];
    device->slot = slot;
    if (config_read(device, 0, 2) != 0x1af4) continue;
    u32 id = config_read(device, 2, 2);
    device->kind = id == 0x1005 || id == 0x1044 ? ENTROPY : id == 0x1000 || id == 0x1041 ? NETWORK : BLOCK;
    device->port = 0xc000 + 0x100 * deviceCount;
    device->memory = 0xe0000000 + 0x1000000 * deviceCount;
    device->hasLegacy = config_read(device, BAR0, 1) & 1;
    look_at_capabilities(device);
    device->hasModern = device->window != 0;
    place(device);
    deviceCount++;
  }
}

/* Where its BARs belong, all that is decoded on. */
void place(struct device *device) {
  config_write(device, COMMAND, 2, 0);
  if (device->hasLegacy) config_write(device, BAR0, 4, device->port);
  config_write(device, BAR1, 4, msix_table(device));
  config_write(device, BAR4, 4, device->memory);
  config_write(device, BAR4 + 4, 4, 0);
  config_write(device, COMMAND, 2, 7);
}

/* MSI-X on or off, and messages that lead to a vector of the processor, or anywhere. */
static void set_up_messages(struct device *device) {
  if (!device->msix) return;
  u32 control = once(4) ? 0 : once(6) ? 0xc000 : 0x8000;
  device->usesMsix = control == 0x8000;
  config_write(device, device->msix + 2, 2, control);
  for (u32 vector = 0; vector < device->vectors && vector < 4; vector++) {
    u32 entry = msix_table(device) + 16 * vector;
    memory_write(entry, 4, once(12) ? word() : APIC | below(2) << 12);
    memory_write(entry + 4, 4, once(20) ? word() : 0);
    memory_write(entry + 8, 4, once(12) ? word() : 0x50 + below(16));
    memory_write(entry + 12, 4, once(5));
  }
}

static void odd_message(struct device *device) {
  u32 table = msix_table(device) + below(0x900);
  if (once(2)) memory_write(table & ~3u, 4, once(2) ? word() : below(2));
  else memory_read(table, 1 << below(3));
}

/* What it decodes: nothing, one space, no DMA. Mostly put right again at once, or after a while. */
static void gate(struct device *device) {
  config_write(device, COMMAND, 2, once(3) ? word() : below(8));
  if (once(2)) notify(device, below(2));
  if (once(2)) wait_some();
  if (!once(6)) config_write(device, COMMAND, 2, 7);
}

/* Registers where others answer: over memory, local APIC, other devices, beyond all. */
static void move(struct device *device) {
  static const u32 PLACES[] = {0x600000, 0x00fff000, APIC, IOAPIC, 0xfffff000, 0xa0000, 0xc0000, 0xe0000000, 0xf8000000};
  u32 to = once(4) ? chance() : PLACES[below(sizeof PLACES / 4)];
  switch (below(4)) {
    case 0: config_write(device, BAR0, 4, once(2) ? 0xc000 + below(0x800) : word()); break;
    case 1: config_write(device, BAR1, 4, to); break;
    case 2: config_write(device, BAR4 + 4, 4, once(2) ? 1 : word()); break;
    default: config_write(device, BAR4, 4, to);
  }
  if (once(2)) read_register(device, COMMON, below(64), 1 << below(3));
  if (once(2)) write_register(device, OWN, 4 * below(32), 4, word());
  if (once(2)) ask(device);
  if (!once(8)) place(device);
}

static void odd_configuration(struct device *device) {
  u32 at = below(256), size = 1 << below(3);
  if (at < 6 && at + size > COMMAND) at += 0x40;
  at &= -size;
  if (once(3)) config_read(device, at, size);
  else config_write(device, at, size, word());
  if (!once(4)) place(device);
}

/* The window, with whatever place and width. */
static void odd_window(struct device *device) {
  if (!device->window) return;
  config_write(device, device->window + 4, 1, once(3) ? word() : 4);
  config_write(device, device->window + 8, 4, once(3) ? word() : below(0x3100));
  config_write(device, device->window + 12, 4, once(3) ? word() : 1u << below(3));
  u32 size = 1 << below(3);
  if (once(2)) config_read(device, device->window + 16, size);
  else config_write(device, device->window + 16, size, once(2) ? word() : below(4));
}

void odd_function(struct device *device) {
  switch (below(8)) {
    case 0: gate(device); return;
    case 1: move(device); return;
    case 2: odd_configuration(device); return;
    case 3: odd_window(device); return;
    case 4: odd_message(device); return;
    default: set_up_messages(device);
  }
}

/*
 * Drives every virtio device of its machine as a driver does that is wrong now and then: rings, registers, PCI
 * configuration. Says R, takes a seed of four bytes from COM1, does what that draws, and ends. Its devices are found by
 * their PCI identity, whatever their slots. It may reset the machine, and then goes on where memory says.
 */
#include "driver.h"

enum { MEMORY_KEPT = 0x5eed5eed, MOST_STARTS = 3 };

/* Where no image lies: a reset leaves it. */
static volatile struct { u32 mark, seed, starts; } *const kept = (void *)0x900000;

static u32 interrupts;

/* A level that nobody takes back must not keep the processor for ever. */
void on_interrupt(void) {
  interrupts++;
  for (u32 i = 0; i < deviceCount; i++) {
    struct device *device = &devices[i];
    if (device->hasLegacy) inb(device->port + L_ISR);
    else memory_read(device->memory + ISR, 1);
  }
  memory_write(APIC + 0xb0, 4, 0);
  if (interrupts == 64)
    for (u32 pin = 0; pin < 24; pin++) {
      memory_write(IOAPIC, 4, 0x10 + 2 * pin);
      memory_write(IOAPIC + 0x10, 4, 0x10000);
    }
}

static void set_up_interrupts(void) {
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  memory_write(APIC + 0xf0, 4, 0x1ff);
  for (u32 pin = 10; pin < 12; pin++) {
    memory_write(IOAPIC, 4, 0x10 + 2 * pin);
    memory_write(IOAPIC + 0x10, 4, 0x8000 | (0x60 + pin));
  }
}

static u32 seed_typed(void) {
  if (kept->mark == MEMORY_KEPT) return kept->starts++ < MOST_STARTS ? kept->seed += 0x10001 : (finish(), 0);
  u32 seed = 0;
  outb(COM1, 'R');
  for (u32 i = 0; i < 4; i++) {
    while (!(inb(COM1 + 5) & 1)) __asm__ volatile("pause");
    seed |= (u32)inb(COM1) << 8 * i;
  }
  kept->mark = MEMORY_KEPT, kept->seed = seed, kept->starts = 1;
  return seed;
}

/* Whatever is in flight: by the keyboard controller, or the chipset. */
static void reset_machine(void) {
  if (once(2)) outb(0x64, 0xfe);
  else outb(0xcf9, 6);
}

static void step(struct device *device) {
  if (!device->isLive || (once(3) && status_of(device) & NEEDS_RESET)) set_up(device);
  switch (below(12)) {
    case 0: odd_function(device); return;
    case 1: odd_register(device); return;
    case 2: if (once(2)) set_up(device); return;
    case 3:
      if (once(60)) reset_machine();
      wait_some();
      return;
    default: ask(device);
  }
}

void drive(void) {
  set_up_interrupts();
  find_devices();
  sow(seed_typed());
  struct device *favourite = &devices[below(deviceCount)];
  if (!once(3)) odd_function(favourite);
  for (u32 steps = 8 + below(24); steps > 0; steps--) step(once(6) ? &devices[below(deviceCount)] : favourite);
  wait_some();
}

/*
 * Drives all cards of one kind of its machine as a driver does that is wrong now and then. Says R, takes a seed of four
 * bytes from COM1, does what that draws, and ends. Frames come from outside meanwhile, and from one card to another.
 */
#include "nic.h"

enum { SECOND = 1000000000 };

struct device devices[MOST_DEVICES];
u32 deviceCount;

static u32 interrupts;

void on_interrupt(void) {
  interrupts++;
  for (u32 i = 0; i < deviceCount; i++) quiet(i);
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

static void find(void) {
  for (u32 slot = 0; slot < 32 && deviceCount < MOST_DEVICES; slot++) {
    struct device *device = &devices[deviceCount];
    device->slot = slot;
    if (config_read(device, 0, 4) == identity) seat(deviceCount++);
  }
}

/* Where bytes of a frame are, or are to go. */
u64 buffer(u32 length) {
  if (once(12)) return wild();
  if (once(20)) return 0;
  return (u32)allocate(length, once(2) ? 1 : 16);
}

void descriptor(u32 *at, u32 first, u32 second, u32 third, u32 fourth) {
  at[0] = first, at[1] = second, at[2] = third, at[3] = fourth;
}

void address_frame(u64 at) {
  if (at < ARENA || at >= ARENA_END - 64) return;
  u32 *bytes = (u32 *)(u32)at;
  bytes[0] = once(3) ? 0xffffffff : once(2) ? 0x12005452 : word();
  bytes[1] = once(2) ? 0xffffffff : 0x00005634 + (below(4) << 8);
  bytes[3] = once(3) ? 0x00000081 | below(0x10000) << 16 : word();
}

void wait_long(void) {
  memory_write(APIC + 0x3e0, 4, 0xb);
  memory_write(APIC + 0x320, 4, 0x60);
  memory_write(APIC + 0x380, 4, SECOND + SECOND / 5);
  __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static u32 seed_typed(void) {
  u32 seed = 0;
  outb(COM1, 'R');
  for (u32 i = 0; i < 4; i++) {
    while (!(inb(COM1 + 5) & 1)) __asm__ volatile("pause");
    seed |= (u32)inb(COM1) << 8 * i;
  }
  return seed;
}

void drive(void) {
  set_up_interrupts();
  find();
  sow(seed_typed());
  for (u32 i = 0; i < deviceCount; i++)
    if (!once(4)) begin(i);
  for (u32 steps = 16 + below(48); steps > 0; steps--) step(below(deviceCount));
  wait_some();
}

/* Ports, memory and configuration space, by width; memory to give out; time to pass. */
#include "driver.h"

static u32 given = ARENA;

void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "d"(port)); }
void outw(u16 port, u16 value) { __asm__ volatile("outw %0, %1" ::"a"(value), "d"(port)); }
void outl(u16 port, u32 value) { __asm__ volatile("outl %0, %1" ::"a"(value), "d"(port)); }
u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port));
  return value;
}
u16 inw(u16 port) {
  u16 value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "d"(port));
  return value;
}
u32 inl(u16 port) {
  u32 value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "d"(port));
  return value;
}

static u16 configuration(struct device *device, u32 at) {
  outl(0xcf8, 0x80000000 | device->slot << 11 | (at & 0xfc));
  return 0xcfc + (at & 3);
}

u32 config_read(struct device *device, u32 at, u32 size) {
  u16 port = configuration(device, at);
  return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

void config_write(struct device *device, u32 at, u32 size, u32 value) {
  u16 port = configuration(device, at);
  if (size == 1) outb(port, value);
  else if (size == 2) outw(port, value);
  else outl(port, value);
}

u32 memory_read(u32 at, u32 size) {
  return size == 1 ? *(volatile u8 *)at : size == 2 ? *(volatile u16 *)at : *(volatile u32 *)at;
}

void memory_write(u32 at, u32 size, u32 value) {
  if (size == 1) *(volatile u8 *)at = value;
  else if (size == 2) *(volatile u16 *)at = value;
  else *(volatile u32 *)at = value;
}

/* The arena is a circle: what was given out long ago is given out again. */
void *allocate(u32 bytes, u32 aligned) {
  u32 at = (given + aligned - 1) & -aligned;
  if (at + bytes > ARENA_END) at = ARENA;
  given = at + bytes;
  return (void *)at;
}

/* As long as a request or two take, with interrupts or without; by HLT, with a timer that ends it, or by turning. */
void wait_some(void) {
  u32 turns = 500 + below(6000);
  switch (below(4)) {
    case 0:
      memory_write(APIC + 0x3e0, 4, 0xb);
      memory_write(APIC + 0x320, 4, 0x60);
      memory_write(APIC + 0x380, 4, 16 * turns);
      __asm__ volatile("sti; hlt; cli" ::: "memory");
      return;
    case 1:
      while (turns--) __asm__ volatile("pause" ::: "memory");
      return;
    default:
      __asm__ volatile("sti" ::: "memory");
      while (turns--) __asm__ volatile("pause" ::: "memory");
      __asm__ volatile("cli" ::: "memory");
  }
}

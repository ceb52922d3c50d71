/* What the programs of this folder print with, on COM1. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static void put(char c) {
  while (!(inb(0x3fd) & 0x20)) continue;
  outb(0x3f8, c);
}

static void text(const char *s) {
  while (*s) put(*s++);
}

static void hex(const char *name, u32 value) {
  text(name);
  put(' ');
  int shift = 28;
  while (shift > 0 && !(value >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
  put(' ');
}

static void bytes(const u8 *at, u32 length) {
  for (u32 i = 0; i < length; i++) {
    put("0123456789abcdef"[at[i] >> 4]);
    put("0123456789abcdef"[at[i] & 15]);
  }
  put('\n');
}

/* Physical memory, without the compiler's opinion about addresses near zero. */
static u8 *physical(u32 address) {
  __asm__("" : "+r"(address));
  return (u8 *)address;
}

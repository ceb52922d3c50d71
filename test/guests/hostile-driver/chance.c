/* What is drawn from the seed. */
#include "driver.h"

static u32 state;

void sow(u32 seed) {
  state = seed * 2654435761u ^ 0x9e3779b9;
  if (state == 0) state = 1;
  for (u32 i = 0; i < 8; i++) chance();
}

/* Marsaglia's xorshift, its low bits mixed. */
u32 chance(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  u32 mixed = state * 0x85ebca6b;
  return mixed ^ mixed >> 15;
}

u32 below(u32 limit) { return chance() % limit; }
u32 once(u32 times) { return chance() % times == 0; }

/* Any 32 bits, small ones, single bits and ends more often. */
u32 word(void) {
  switch (below(6)) {
    case 0: return below(4);
    case 1: return below(300);
    case 2: return 1u << below(32);
    case 3: return (1u << below(32)) - 1;
    case 4: return 0xffffffff - below(3);
    default: return chance();
  }
}

/* An address no driver would use. */
u64 wild(void) {
  switch (below(12)) {
    case 0: return MEMORY_END - 1 - below(64);
    case 1: return MEMORY_END - below(8) * 512;
    case 2: return MEMORY_END + below(0x10000);
    case 3: return devices[below(deviceCount)].memory + below(0x4000);
    case 4: return APIC + below(0x400);
    case 5: return IOAPIC + below(0x20);
    case 6: return 0xa0000 + below(0x60000);
    case 7: return below(0x1000);
    case 8: return (u64)word() << 32 | chance();
    case 9: return 0xfffffff0 + below(32);
    case 10: return 0xffffffffffffff00ull + below(0x100);
    default: return ARENA + below(ARENA_END - ARENA);
  }
}

/* Configuration space by its two ports. PCI Local Bus 3.0, 3.2.2.3.2. */
#pragma once
#include "machine.h"

enum {
  CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, COMMAND = 0x04, BAR0 = 0x10, BAR1 = 0x14, CAPABILITIES = 0x34, SLOTS = 32,
};

static inline uint32_t config(uint32_t slot, uint32_t offset) {
  out32(CONFIG_ADDRESS, 0x80000000 | slot << 11 | offset);
  return in32(CONFIG_DATA);
}

static inline void set_config(uint32_t slot, uint32_t offset, uint32_t value) {
  out32(CONFIG_ADDRESS, 0x80000000 | slot << 11 | offset);
  out32(CONFIG_DATA, value);
}

/* The slot of the first function with these numbers, or SLOTS. */
static inline uint32_t slot_of(uint32_t numbers) {
  uint32_t slot = 0;
  while (slot < SLOTS && config(slot, 0) != numbers) slot++;
  return slot;
}

/* Where a BAR is; it is put elsewhere when no firmware did. */
static inline uint32_t bar(uint32_t slot, uint32_t offset, uint32_t otherwise) {
  if ((config(slot, offset) & ~15u) == 0) set_config(slot, offset, otherwise);
  return config(slot, offset) & ~15u;
}

/*
 * Looks at what a BIOS leaves in memory as a teaching kernel does, and prints it on COM1: the BIOS data area, the
 * multiprocessor tables (found by the extended area, then base memory, then the ROM, as the specification says), PCI
 * interrupt routing, ACPI's root pointer, SMBIOS. Then interrupts of real mode, two ticks of whose timer it waits for.
 */
#include "console.h"

void real(void);

static u8 sum(const u8 *at, u32 length) {
  u8 total = 0;
  while (length--) total += *at++;
  return total;
}

static int same(const u8 *at, const char *what) {
  while (*what)
    if (*at++ != (u8)*what++) return 0;
  return 1;
}

static u16 word(u32 address) { return *(u16 *)physical(address); }

static u8 *search(u32 from, u32 length, const char *signature, u32 size) {
  for (u8 *at = physical(from); at < physical(from + length); at += 16)
    if (same(at, signature) && sum(at, size ? size : at[6]) == 0) return at;
  return 0;
}

static u8 *mpsearch(void) {
  u32 extended = (u32)word(0x40e) << 4, base = (u32)word(0x413) * 1024;
  u8 *found = extended ? search(extended, 1024, "_MP_", 16) : 0;
  if (!found) found = search(base - 1024, 1024, "_MP_", 16);
  return found ? found : search(0xf0000, 0x10000, "_MP_", 16);
}

static void processors(void) {
  u8 *pointer = mpsearch();
  if (!pointer) {
    text("no MP table\n");
    return;
  }
  u8 *table = physical(*(u32 *)(pointer + 4));
  u32 length = *(u16 *)(table + 4);
  hex("mp", (u32)pointer);
  hex("table", (u32)table);
  hex("sum", sum(table, length));
  put('\n');
  bytes(pointer, 16);
  /* Not the checksum, which depends on the processor's features. */
  bytes(table, 7);
  bytes(table + 8, 36);
  for (u8 *at = table + 44; at < table + length; at += at[0] ? 8 : 20) {
    if (at[0]) bytes(at, 8);
    else hex("cpu", at[1]), hex("apic", at[2]), hex("flags", at[3]), put('\n');
  }
}

void main(u32 magic, u8 *information) {
  hex("magic", magic);
  hex("boot flags", *(u32 *)information & 0x40);
  for (u32 line = 0; line < 4; line++) hex("com", word(0x400 + 2 * line));
  hex("ebda", word(0x40e));
  hex("equipment", word(0x410));
  hex("base", word(0x413));
  hex("ebda size", *physical((u32)word(0x40e) << 4));
  put('\n');
  bytes(physical(0x400), 0x6c);
  bytes(physical(0x470), 0x90);
  processors();
  u8 *routing = 0;
  for (u8 *at = physical(0xf0000); at < physical(0x100000) && !routing; at += 16)
    if (same(at, "$PIR") && sum(at, *(u16 *)(at + 6)) == 0) routing = at;
  hex("$PIR", (u32)routing);
  if (routing) bytes(routing, *(u16 *)(routing + 6));
  u8 *root = search(0xe0000, 0x20000, "RSD PTR ", 20);
  hex("rsdp", (u32)root);
  u8 *anchor = search(0xf0000, 0x10000, "_SM_", 31);
  hex("smbios", (u32)anchor);
  if (anchor) bytes(physical(*(u32 *)(anchor + 24)), 72);
  bytes(physical(0x60 * 4), 8 * 4);
  u32 before = *(u32 *)physical(0x46c);
  real();
  u32 after = *(u32 *)physical(0x46c);
  hex("real mode: ticks", after - before);
  text("\ndone\n");
}

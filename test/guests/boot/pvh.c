/*
 * Prints what a loader tells by Xen's direct boot: the magic number, version, command line, modules, and of the memory
 * map what lies below 256 MiB.
 */
#include "console.h"

struct start_info {
  u32 magic, version, flags, modules;
  u32 module_list[2], command_line[2], rsdp[2], map[2];
  u32 entries, reserved;
};

void main(u32 unused, u8 *information) {
  struct start_info *start = (struct start_info *)information;
  (void)unused;
  hex("magic", start->magic);
  hex("version", start->version);
  hex("flags", start->flags);
  text((char *)physical(start->command_line[0]));
  hex("\nmodules", start->modules);
  put('\n');
  for (u32 i = 0; i < start->modules; i++) {
    u32 *module = (u32 *)physical(start->module_list[0]) + 8 * i;
    hex("at", module[0]);
    hex("length", module[2]);
    bytes(physical(module[0]), module[2] < 8 ? module[2] : 8);
  }
  for (u32 i = 0; i < start->entries; i++) {
    u32 *entry = (u32 *)physical(start->map[0]) + 6 * i;
    if (entry[1] || entry[0] >> 28) continue;
    hex("from", entry[0]);
    hex("length", entry[2]);
    hex("type", entry[4]);
    put('\n');
  }
  text("done\n");
}

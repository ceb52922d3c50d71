/*
 * Prints what a multiboot loader tells: its own command line, and of each module its length, whether it begins on a
 * page and does not overlap what comes before, its first bytes and its command line.
 */
#include "console.h"

struct module {
  u32 start, end, line, reserved;
};

void main(u32 magic, u8 *information) {
  u32 *field = (u32 *)information;
  hex("magic", magic);
  hex("flags", field[0]);
  text((char *)physical(field[4]));
  hex("\nmodules", field[5]);
  put('\n');
  u32 before = 0x100000;
  for (u32 i = 0; i < field[5]; i++) {
    struct module *module = (struct module *)physical(field[6]) + i;
    hex("length", module->end - module->start);
    hex("in page", module->start & 0xfff);
    text(module->start >= before ? "behind " : "overlaps ");
    before = module->end;
    text((char *)physical(module->line));
    put('\n');
    u32 length = module->end - module->start;
    bytes(physical(module->start), length < 8 ? length : 8);
  }
  text("done\n");
}

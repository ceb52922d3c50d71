/* COM1, polled. */
#include "machine.h"

enum { COM1 = 0x3f8, LINE_STATUS = 5, TRANSMITTER_EMPTY = 0x20 };
static int column;

void put_char(char c) {
  if (c == '\n') put_char('\r');
  while (!(in8(COM1 + LINE_STATUS) & TRANSMITTER_EMPTY)) pause();
  out8(COM1, (uint8_t)c);
  column = c == '\r' || c == '\n' ? 0 : column + 1;
}

void put(const char *text) {
  while (*text) put_char(*text++);
}

void put_decimal(uint64_t value) {
  char digits[20];
  int n = 0;
  do digits[n++] = (char)('0' + value % 10);
  while (value /= 10);
  while (n) put_char(digits[--n]);
}

void put_hex(uint64_t value, int digits) {
  while (digits--) put_char("0123456789abcdef"[(value >> (4 * digits)) & 15]);
}

void stop(const char *what) {
  static int number;
  put(++number < 10 ? "  " : " ");
  put_decimal((uint64_t)number);
  put("  ");
  put(what);
  put_char(' ');
  while (column < 30) put_char('.');
  put_char(' ');
}

void done(const char *detail) {
  put(detail);
  put_char('\n');
}

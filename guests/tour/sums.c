/* Arithmetic whose every bit is checked by a printed checksum. */
#include "machine.h"

uint32_t checksum(const void *bytes, uint64_t length) {
  const uint8_t *p = bytes;
  uint32_t hash = 0x811c9dc5; /* FNV-1a */
  while (length--) hash = (hash ^ *p++) * 0x01000193;
  return hash;
}

static char shade(int count) {
  static const uint8_t from[] = {3, 4, 5, 6, 8, 11, 16, 30, 90};
  int i = 0;
  while (i < 9 && count >= from[i]) i++;
  return " .,:;+*x%@"[i];
}

/* The Mandelbrot set by SSE2, two points at a time. Drawn, and summed up. */
uint32_t mandelbrot(void) {
  typedef double pair __attribute__((vector_size(16)));
  typedef int64_t flags __attribute__((vector_size(16)));
  uint8_t row[64];
  uint32_t sum = 0;
  for (int y = 0; y < 19; y++) {
    for (int x = 0; x < 64; x += 2) {
      const pair cr = {-2.1 + x * (2.9 / 64), -2.1 + (x + 1) * (2.9 / 64)};
      const double imaginary = -1.1 + y * (2.2 / 18);
      const pair ci = {imaginary, imaginary};
      pair zr = {0, 0}, zi = {0, 0};
      flags count = {0, 0};
      for (int i = 0; i < 90; i++) {
        const pair rr = zr * zr, ii = zi * zi;
        const flags inside = rr + ii <= (pair){4, 4};
        if (!(inside[0] | inside[1])) break;
        count -= inside;
        zi = 2 * zr * zi + ci;
        zr = rr - ii + cr;
      }
      row[x] = (uint8_t)count[0];
      row[x + 1] = (uint8_t)count[1];
    }
    put("      ");
    for (int x = 0; x < 64; x++) put_char(shade(row[x]));
    put_char('\n');
    sum = sum * 31 + checksum(row, sizeof row);
  }
  return sum;
}

/* 1 + 1/2 + ... + 1/1000 and its square root, in the x87's 80 bits. */
uint32_t harmonic(uint8_t extended[10]) {
  int k = 1000;
  __asm__ volatile(
      "fldz\n"
      "1: fld1\n"
      "fidivl %1\n"
      "faddp\n"
      "decl %1\n"
      "jnz 1b\n"
      "fld %%st\n"
      "fsqrt\n"
      "fmulp\n"
      "fstpt %0"
      : "=m"(*(uint8_t(*)[10])extended), "+m"(k)::"cc");
  return checksum(extended, 10);
}

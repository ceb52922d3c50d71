/* The instructions C has no words for. */
#pragma once
#include <stdint.h>

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline void out16(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
static inline void out32(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
static inline uint8_t in8(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline uint16_t in16(uint16_t port) {
  uint16_t value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline uint32_t in32(uint16_t port) {
  uint32_t value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline uint64_t rdmsr(uint32_t index) {
  uint32_t low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return ((uint64_t)high << 32) | low;
}
static inline void wrmsr(uint32_t index, uint64_t value) {
  __asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
static inline uint64_t rdtsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return ((uint64_t)high << 32) | low;
}
struct cpuid { uint32_t a, b, c, d; };
static inline struct cpuid cpuid(uint32_t leaf) {
  struct cpuid r;
  __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
  return r;
}
static inline uint32_t read32(uint64_t address) { return *(volatile uint32_t *)address; }
static inline void write32(uint64_t address, uint32_t value) { *(volatile uint32_t *)address = value; }
static inline void enable_and_halt(void) { __asm__ volatile("sti; hlt; cli" ::: "memory"); }
static inline void pause(void) { __asm__ volatile("pause" ::: "memory"); }

/* console.c */
void put(const char *text);
void put_char(char c);
void put_decimal(uint64_t value);
void put_hex(uint64_t value, int digits);
void stop(const char *what);        /* heading of the next stop of the tour */
void done(const char *detail);

/* sums.c: x87, SSE, strings */
uint32_t mandelbrot(void);
uint32_t harmonic(uint8_t extended[10]);
uint32_t checksum(const void *bytes, uint64_t length);

/* net.c: an e1000, asked for its own address; 0 when there is none. Then who has an address, and whether that came. */
int net_begin(uint8_t mac[6]);
void net_ask(const uint8_t mac[6], const uint8_t own[4], const uint8_t address[4]);
int net_answer(uint8_t mac[6]);

/* disk.c: the disk's sectors, or 0 when there is none; completions come by this vector, whose handler counts them. */
uint64_t disk_begin(uint32_t vector, volatile uint32_t *counted);
enum { DISK_READ = 0, DISK_WRITE = 1, DISK_FLUSH = 4 };
int disk_request(uint32_t type, uint64_t sector, void *bytes, uint32_t length); /* 0 when it went well */

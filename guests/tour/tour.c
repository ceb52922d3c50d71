/*
 * A tour of the machine: a small guest that touches a bit of everything a hypervisor has to do,
 * and says what it saw. The text is the same on every run; only KVM's own stop depends on the host.
 */
#include "machine.h"

enum {
  PIC1 = 0x20, PIC2 = 0xa0, PIT = 0x40, CMOS = 0x70, SYSTEM_B = 0x61, FW_CFG = 0x510,
  PM1A_CONTROL = 0x604, PM_TIMER = 0x608, DEBUG_EXIT = 0xf4, COM1 = 0x3f8,
  VECTOR_TIMER = 0x40, VECTOR_PIT = 0x41, VECTOR_SERIAL = 0x42, VECTOR_DISK = 0x43, VECTOR_PING = 0x50, VECTOR_PONG = 0x51, VECTOR_SPURIOUS = 0xff,
  ROUNDS = 1000,
  BOOK = 128, /* the sector of the visitors' book */
};
static const uint64_t LAPIC = 0xfee00000, IOAPIC = 0xfec00000, HPET = 0xfed00000, UNMAPPED = 0x40000123;

struct frame {
  uint64_t saved[15], vector, error, rip, cs, rflags, rsp, ss;
};
struct gate { uint16_t low, selector, type, middle; uint32_t high, zero; };

extern uint32_t multiboot_info, processors_started;
extern char stubs[], ap_start[], ap_end[];
extern volatile uint64_t pd[];

static struct gate idt[256];
static volatile uint32_t seen[256];
static volatile uint64_t fault_error, fault_address;
static uint64_t resume;
static int x2apic;
static uint32_t processors = 1;
static volatile uint32_t counter, go, finished;
static volatile uint64_t taken[16];

/* --- local APIC, in either of its two forms ---------------------------------------------- */

static void apic_write(uint32_t offset, uint32_t value) {
  if (x2apic) wrmsr(0x800 + offset / 16, value);
  else write32(LAPIC + offset, value);
}

static uint32_t apic_read(uint32_t offset) {
  return x2apic ? (uint32_t)rdmsr(0x800 + offset / 16) : read32(LAPIC + offset);
}

static void send_ipi(uint32_t destination, uint32_t command) {
  if (x2apic) {
    wrmsr(0x830, ((uint64_t)destination << 32) | command);
    return;
  }
  write32(LAPIC + 0x310, destination << 24);
  write32(LAPIC + 0x300, command);
  while (read32(LAPIC + 0x300) & 0x1000) pause();
}

static uint32_t apic_id(void) {
  const uint32_t id = apic_read(0x20);
  return x2apic ? id : id >> 24;
}

static void apic_enable(void) {
  if (x2apic) wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
  apic_write(0xf0, 0x100 | VECTOR_SPURIOUS);
  apic_write(0x80, 0);
}

/* --- interrupts --------------------------------------------------------------------------- */

static void load_idt(void) {
  const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = {sizeof idt - 1, (uint64_t)idt};
  __asm__ volatile("lidt %0" ::"m"(pointer));
}

static void make_idt(void) {
  for (int i = 0; i < 256; i++) {
    const uint64_t at = (uint64_t)stubs + 16u * (unsigned)i;
    idt[i] = (struct gate){(uint16_t)at, 8, 0x8e00, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0};
  }
  load_idt();
}

void interrupted(struct frame *frame) {
  const uint64_t vector = frame->vector;
  __asm__ volatile("lock incl %0" : "+m"(seen[vector]));
  if (vector < 32) {
    fault_error = frame->error;
    __asm__ volatile("mov %%cr2, %0" : "=r"(*(uint64_t *)&fault_address));
    if (resume == 0) {
      put("\n*** exception ");
      put_decimal(vector);
      put(" at ");
      put_hex(frame->rip, 16);
      put_char('\n');
      for (;;) __asm__ volatile("cli; hlt");
    }
    if (vector != 3) frame->rip = resume;
    return;
  }
  if (vector == VECTOR_SERIAL) (void)in8(COM1 + 2); /* reading IIR takes back "transmitter empty" */
  if (vector == VECTOR_PING) send_ipi(0, VECTOR_PONG + apic_id()); /* one vector each: equal ones would merge */
  if (vector != VECTOR_SPURIOUS) apic_write(0xb0, 0);
}

/* Run one faulting instruction; afterwards go on behind it. */
#define PROVOKE(instruction, ...)                                                       \
  do {                                                                                  \
    __asm__ volatile("movq $1f, %0\n" instruction "\n1:" : "=m"(resume) : __VA_ARGS__ : "memory", "rax", "rdx", "rcx"); \
    resume = 0;                                                                         \
  } while (0)

/* --- the stops ----------------------------------------------------------------------------- */

static void see_processor(void) {
  const struct cpuid id = cpuid(0), features = cpuid(1);
  stop("processor");
  const uint32_t name[3] = {id.b, id.d, id.c};
  for (int i = 0; i < 12; i++) put_char(((const char *)name)[i]);
  put(", long mode, 4-level paging");
  done(features.c & (1u << 31) ? ", under a hypervisor" : "");
}

static void see_exceptions(void) {
  stop("exceptions");
  PROVOKE("ud2", "m"(idt));
  put(seen[6] == 1 ? "#UD " : "no #UD! ");
  PROVOKE("xor %%edx, %%edx\nxor %%ecx, %%ecx\ndiv %%ecx", "m"(idt));
  put(seen[0] == 1 ? "#DE " : "no #DE! ");
  PROVOKE("int3", "m"(idt));
  put(seen[3] == 1 ? "#BP " : "no #BP! ");
  PROVOKE("mov $0x7fff, %%eax\nmov %%ax, %%fs", "m"(idt));
  put(seen[13] == 1 && fault_error == 0x7ffc ? "#GP(7ffc) " : "no #GP! ");
  PROVOKE("movb $1, (%1)", "r"(UNMAPPED));
  put("#PF(");
  put_hex(fault_error, 1);
  put(") at ");
  put_hex(fault_address, 8);
  put_char('\n');
}

static void see_demand_paging(void) {
  volatile uint64_t *const page = (volatile uint64_t *)0x600000;
  stop("page tables");
  pd[3] &= ~1ull; /* 6 MB: not present any more */
  __asm__ volatile("invlpg (%0)" ::"r"(page) : "memory");
  PROVOKE("mov (%1), %%rax", "r"(page));
  const uint32_t faults = seen[14];
  pd[3] = 0x600000 | 0x83;
  *page = 0x0123456789abcdef;
  const uint64_t entry = pd[3];
  put(faults == 2 && *page == 0x0123456789abcdef ? "unmapped, faulted, mapped again; entry " : "wrong! entry ");
  put_hex(entry, 16);
  put_char('\n');
}

static void see_strings(void) {
  static uint8_t from[8192], to[8192];
  stop("string instructions");
  for (unsigned i = 0; i < sizeof from; i++) from[i] = (uint8_t)(i * i + 7 * i);
  void *source = from, *target = to;
  uint64_t count = sizeof from;
  __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count)::"memory");
  source = from, target = to, count = sizeof from;
  uint8_t same;
  __asm__ volatile("repe cmpsb; sete %3" : "+S"(source), "+D"(target), "+c"(count), "=r"(same)::"memory", "cc");
  target = to, count = 512;
  __asm__ volatile("rep stosq" : "+D"(target), "+c"(count) : "a"(0x5a5a5a5a5a5a5a5a) : "memory");
  put(same ? "8 KiB copied, equal, half overwritten: " : "copy differs! ");
  put_hex(checksum(to, sizeof to), 8);
  put_char('\n');
}

static void see_changing_code(void) {
  /* mov $imm32, %eax; ret: the program writes the immediate it is about to run. */
  static uint8_t code[6] = {0xb8, 0, 0, 0, 0, 0xc3};
  uint32_t sum = 0;
  stop("self-modifying code");
  for (uint32_t i = 1; i <= 100; i++) {
    *(volatile uint32_t *)(code + 1) = i;
    uint32_t value;
    __asm__ volatile("call *%1" : "=a"(value) : "r"(code) : "memory");
    sum += value;
  }
  put("100 versions of one function, sum ");
  put_decimal(sum);
  put_char('\n');
}

static void see_arithmetic(void) {
  uint8_t extended[10];
  stop("x87");
  put("harmonic sum of 1000, 80 bits: ");
  const uint32_t sum = harmonic(extended);
  for (int i = 9; i >= 0; i--) put_hex(extended[i], 2);
  put(sum == checksum(extended, 10) ? "\n" : " wrong!\n");
  stop("SSE2");
  put("\n");
  const uint32_t drawn = mandelbrot();
  put("      checksum ");
  put_hex(drawn, 8);
  put_char('\n');
}

static uint32_t pm_timer(void) { return in32(PM_TIMER) & 0xffffff; }

static void wait_pm(uint32_t pulses) { /* 3.579545 MHz */
  const uint32_t start = pm_timer();
  for (uint32_t tries = 0; ((pm_timer() - start) & 0xffffff) < pulses && tries < 1000000; tries++) pause();
}

static void see_clocks(void) {
  stop("clocks");
  const uint32_t before = pm_timer();
  wait_pm(36);
  put(pm_timer() != before ? "PM timer, " : "no PM timer, ");
  /* PIT channel 2, mode 0, gated through port 61: its output rises after 1000 pulses. */
  out8(SYSTEM_B, (uint8_t)((in8(SYSTEM_B) & ~2) | 1));
  out8(PIT + 3, 0xb0);
  out8(PIT + 2, 1000 & 255);
  out8(PIT + 2, 1000 >> 8);
  uint32_t tries = 0;
  while (!(in8(SYSTEM_B) & 0x20) && ++tries < 1000000) pause();
  put(tries < 1000000 ? "PIT, " : "no PIT, ");
  out8(CMOS, 0x0b);
  const uint8_t format = in8(CMOS + 1);
  out8(CMOS, 0x32);
  const uint8_t century = in8(CMOS + 1);
  put(format & 2 ? "RTC (24 h), " : "RTC (12 h), ");
  (void)century;
  const uint64_t tsc = rdtsc();
  wait_pm(36);
  done(rdtsc() > tsc ? "TSC: all run" : "TSC stands still!");
}

static void see_pic(void) {
  stop("8259");
  out8(PIC1, 0x11), out8(PIC2, 0x11);
  out8(PIC1 + 1, 0x20), out8(PIC2 + 1, 0x28);
  out8(PIC1 + 1, 4), out8(PIC2 + 1, 2);
  out8(PIC1 + 1, 1), out8(PIC2 + 1, 1);
  out8(PIC1 + 1, 0xff), out8(PIC2 + 1, 0xff);
  done(in8(PIC1 + 1) == 0xff ? "remapped to 20h and 28h, all lines masked" : "mask lost!");
}

/* Timer pulses in a millisecond. */
static uint32_t millisecond;

/* Halt until a one-shot timer interrupt. */
static void sleep(uint32_t milliseconds) {
  const uint32_t before = seen[VECTOR_TIMER];
  apic_write(0x320, VECTOR_TIMER);
  apic_write(0x380, millisecond * milliseconds);
  while (seen[VECTOR_TIMER] == before) enable_and_halt();
  apic_write(0x320, 0x10000 | VECTOR_TIMER);
}

static void see_lapic(void) {
  stop("local APIC");
  x2apic = (cpuid(1).c >> 21) & 1;
  apic_enable();
  put(x2apic ? "x2APIC, timer: " : "xAPIC, timer: ");
  apic_write(0x3e0, 0xb); /* divide by 1 */
  apic_write(0x320, 0x10000 | VECTOR_TIMER);
  apic_write(0x380, 0xffffffff);
  wait_pm(358);
  millisecond = (0xffffffff - apic_read(0x390)) * 10;
  apic_write(0x320, VECTOR_TIMER | 0x20000); /* periodic */
  apic_write(0x380, millisecond);
  while (seen[VECTOR_TIMER] < 10) enable_and_halt();
  sleep(1);
  done("10 periodic interrupts, 1 one-shot");
}

static void route(uint32_t pin, uint32_t vector) {
  write32(IOAPIC, 0x11 + 2 * pin);
  write32(IOAPIC + 0x10, apic_id() << 24);
  write32(IOAPIC, 0x10 + 2 * pin);
  write32(IOAPIC + 0x10, vector);
}

static void see_ioapic(void) {
  stop("I/O APIC");
  write32(IOAPIC, 1);
  put_decimal(((read32(IOAPIC + 0x10) >> 16) & 255) + 1);
  put(" pins; ");
  out8(PIT + 3, 0x34); /* channel 0, rate generator */
  out8(PIT, 1193 & 255);
  out8(PIT, 1193 >> 8);
  route(2, VECTOR_PIT);
  while (seen[VECTOR_PIT] < 5) enable_and_halt();
  write32(IOAPIC, 0x14);
  write32(IOAPIC + 0x10, 0x10000);
  put("5 ticks of the PIT on pin 2, ");
  route(4, VECTOR_SERIAL);
  while (!(in8(COM1 + 5) & 0x40)) pause();
  out8(COM1 + 4, 0x0b); /* DTR, RTS, OUT2 */
  out8(COM1 + 1, 2);    /* interrupt when the transmitter is empty */
  for (uint32_t tries = 0; seen[VECTOR_SERIAL] == 0 && tries < 100000; tries++) {
    __asm__ volatile("sti; nop; cli" ::: "memory");
  }
  out8(COM1 + 1, 0);
  write32(IOAPIC, 0x18);
  write32(IOAPIC + 0x10, 0x10000);
  done(seen[VECTOR_SERIAL] ? "COM1's interrupt on pin 4" : "no interrupt from COM1!");
}

static void see_hpet(void) {
  stop("HPET");
  const uint32_t id = read32(HPET);
  if (id >> 16 != 0x8086) {
    done("none");
    return;
  }
  write32(HPET + 0x10, 1);
  const uint32_t first = read32(HPET + 0xf0);
  wait_pm(36);
  const uint32_t second = read32(HPET + 0xf0);
  write32(HPET + 0x10, 0);
  put_decimal(((id >> 8) & 31) + 1);
  done(second > first ? " timers, counter runs" : " timers, counter stands still!");
}

static int has_word(const char *text, const char *word) {
  for (; *text; text++) {
    int i = 0;
    while (word[i] && text[i] == word[i]) i++;
    if (!word[i]) return 1;
  }
  return 0;
}

/* A book on the disk in which each visit adds one to a number of four digits, behind the words "visits: ". */
static void see_disk(void) {
  static char book[512], again[512];
  const uint64_t sectors = disk_begin(VECTOR_DISK, &seen[VECTOR_DISK]);
  if (sectors == 0) return;
  stop("virtio-blk");
  put_decimal(sectors / 2);
  put(" KiB; ");
  if (sectors <= BOOK || disk_request(DISK_READ, BOOK, book, sizeof book) || !has_word(book, "visits: ")) {
    done("no visitors' book on it");
    return;
  }
  char *digit = book + sizeof "visits: 0000" - 2;
  while (digit > book && *digit == '9') *digit-- = '0';
  if (*digit >= '0') ++*digit;
  const int failed = disk_request(DISK_WRITE, BOOK, book, sizeof book) | disk_request(DISK_FLUSH, 0, 0, 0) |
                     disk_request(DISK_READ, BOOK, again, sizeof again);
  put(failed || checksum(book, sizeof book) != checksum(again, sizeof again) ? "not written! " : "");
  for (char *at = again; *at >= ' '; at++) put_char(*at);
  put(", written, flushed, ");
  put_decimal(seen[VECTOR_DISK]);
  done(" interrupts");
}

static void put_mac(const uint8_t mac[6]) {
  for (int i = 0; i < 6; i++) {
    if (i) put_char(':');
    put_hex(mac[i], 2);
  }
}

/* The gateway of QEMU's network is asked where it is. A card holds what comes for a second after it was set up. */
static void see_network(void) {
  static const uint8_t OWN[4] = {10, 0, 2, 15}, GATEWAY[4] = {10, 0, 2, 2};
  uint8_t mac[6], gateway[6];
  if (!net_begin(mac)) return;
  stop("e1000");
  put_mac(mac);
  net_ask(mac, OWN, GATEWAY);
  int waited = 0;
  while (!net_answer(gateway) && waited++ < 30) sleep(50);
  put(waited < 30 ? "; 10.0.2.2 is at " : "; nobody says where 10.0.2.2 is");
  if (waited < 30) put_mac(gateway);
  put_char('\n');
}

static uint64_t hypercall(uint64_t number) {
  uint64_t result;
  __asm__ volatile("vmcall" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0), "S"(0) : "memory");
  return result;
}

static volatile struct {
  uint32_t version, pad0;
  uint64_t tsc, time;
  uint32_t multiplier;
  int8_t shift;
  uint8_t flags, pad[2];
} clock __attribute__((aligned(64)));

/* Nanoseconds, as Linux computes them from the shared page. */
static uint64_t kvmclock(void) {
  uint64_t delta = rdtsc() - clock.tsc;
  if (clock.shift >= 0) delta <<= clock.shift;
  else delta >>= -clock.shift;
  return clock.time + (uint64_t)(((unsigned __int128)delta * clock.multiplier) >> 32);
}

static void see_kvm(void) {
  const struct cpuid id = cpuid(0x40000000);
  stop("KVM");
  if (id.b != 0x4b4d564b || id.c != 0x564b4d56 || id.d != 0x4d) { /* "KVMKVMKVM" */
    done("not here");
    return;
  }
  wrmsr(0x4b564d01, (uint64_t)&clock | 1);
  const int sane = clock.version != 0 && clock.version % 2 == 0 && clock.multiplier != 0;
  const uint64_t before = kvmclock();
  sleep(1);
  const uint64_t passed = kvmclock() - before;
  put(sane && passed > 900000 && passed < 1200000 ? "kvmclock runs; " : "kvmclock is wrong! ");
  wrmsr(0x4b564d01, 0);
  put("hypercalls: VAPIC_POLL_IRQ ");
  put_decimal(hypercall(1));
  put(", an unknown one -");
  put_decimal(-hypercall(0x7777));
  put_char('\n');
}

static void add_many(uint32_t self) {
  uint64_t sum = 0;
  for (int i = 0; i < ROUNDS; i++) {
    uint32_t one = 1;
    __asm__ volatile("lock xaddl %0, %1" : "+r"(one), "+m"(counter)::"memory");
    sum += one;
  }
  taken[self] = sum;
}

/* A further processor: wait for the word, count, answer pings. */
void processor(uint32_t self) {
  load_idt();
  apic_enable();
  __asm__ volatile("lock incl %0" : "+m"(finished));
  while (!go) pause();
  add_many(self);
  __asm__ volatile("lock incl %0" : "+m"(finished));
  for (;;) enable_and_halt();
}

static uint32_t count_processors(void) {
  out16(FW_CFG, 0);
  if (in8(FW_CFG + 1) != 'Q') return 1;
  out16(FW_CFG, 5);
  const uint32_t low = in8(FW_CFG + 1);
  const uint32_t count = low | ((uint32_t)in8(FW_CFG + 1) << 8);
  return count < 1 ? 1 : count > 16 ? 16 : count;
}

static void start_processors(void) {
  for (uint64_t i = 0; i < (uint64_t)(ap_end - ap_start); i++) ((volatile char *)0x8000)[i] = ap_start[i];
  send_ipi(0, 0xc4500); /* INIT to all but us */
  sleep(10);
  send_ipi(0, 0xc4608); /* SIPI: start at 0x8000 */
  while (finished != processors - 1) pause();
}

static void see_processors(void) {
  processors = count_processors();
  stop("processors");
  put_decimal(processors);
  if (processors > 1) start_processors();
  put(" online");
  finished = 0;
  go = 1;
  add_many(0);
  while (finished != processors - 1) pause();
  uint64_t sum = 0;
  for (uint32_t i = 0; i < processors; i++) sum += taken[i];
  const uint64_t n = counter;
  put(n == (uint64_t)processors * ROUNDS && sum == n * (n - 1) / 2 ? "; LOCK XADD counted " : "; LOCK XADD lost some of ");
  put_decimal(n);
  if (processors > 1) {
    for (uint32_t id = 1; id < processors; id++) send_ipi(id, VECTOR_PING);
    for (uint32_t id = 1; id < processors; id++) {
      while (seen[VECTOR_PONG + id] == 0) enable_and_halt();
    }
    put("; every IPI answered");
  } else {
    send_ipi(0, VECTOR_PONG);
    while (seen[VECTOR_PONG] == 0) __asm__ volatile("sti; nop; cli" ::: "memory");
    put("; IPI to itself taken");
  }
  put_char('\n');
}

static void wait_for_key(void) {
  const uint32_t *const info = (const uint32_t *)(uint64_t)multiboot_info;
  if (!(info[0] & 4) || !has_word((const char *)(uint64_t)info[4], "interactive")) return;
  put("\n  Press a key. ");
  while (!(in8(COM1 + 5) & 1)) pause();
  put("You pressed ");
  put_hex(in8(COM1), 2);
  put("h.\n");
}

void tour(void) {
  out8(COM1 + 3, 0x80), out8(COM1, 1), out8(COM1 + 1, 0), out8(COM1 + 3, 3), out8(COM1 + 2, 7);
  put("\n"
      "   ____      _                  _\n"
      "  |  _ \\ ___| |_ _ __ _____   _(_)___  ___  _ __\n"
      "  | |_) / _ \\ __| '__/ _ \\ \\ / / / __|/ _ \\| '__|\n"
      "  |  _ <  __/ |_| | | (_) \\ V /| \\__ \\ (_) | |\n"
      "  |_| \\_\\___|\\__|_|  \\___/ \\_/ |_|___/\\___/|_|\n"
      "\n"
      "  A tour of the machine, from the inside.\n\n");
  make_idt();
  see_processor();
  see_exceptions();
  see_demand_paging();
  see_strings();
  see_changing_code();
  see_arithmetic();
  see_clocks();
  see_pic();
  see_lapic();
  see_ioapic();
  see_hpet();
  see_disk();
  see_network();
  see_kvm();
  see_processors();
  wait_for_key();
  put("\n  That was the machine. Goodbye.\n");
  while (!(in8(COM1 + 5) & 0x40)) pause();
  out32(DEBUG_EXIT, 0);
  out16(PM1A_CONTROL, 0x2000); /* S5: SLP_TYP 0, SLP_EN */
}

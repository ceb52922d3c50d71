/* Frames of every kind: small and large, with saved registers, of changing size, recursive, called by pointers, above
   calls that never return, and interrupted. */
#define OWN __attribute__((noinline, noipa))

struct gate {
  unsigned short low, selector, flags, middle;
  unsigned int high, zero;
};
struct place {
  unsigned long registers[8];
};

extern void timer_entry(void);
extern int mark(struct place *) __attribute__((returns_twice));
extern void escape(struct place *) __attribute__((noreturn));

static struct gate idt[33];
static struct place back;
volatile unsigned long ticks, failures, total;

static void out(unsigned short port, unsigned char value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

OWN int leaf(int n) {
  return n * 3 + 1;
}

OWN long mix(long a, long b, long c, long d, long e, long f, long g, long h) {
  long x = a ^ b, y = c + d, z = e - f, w = g | h;
  for (int i = 0; i < 3; i++) {
    x += leaf((int)y);
    y ^= z + leaf((int)w);
    z += x * 7;
    w -= leaf((int)z) + x;
  }
  return x + y + z + w;
}

OWN int recursive(int n) {
  char room[40];
  for (int i = 0; i < 40; i++) room[i] = (char)(n + i);
  if (n <= 0) return room[n & 7];
  return recursive(n - 1) + leaf(room[3]) + room[n & 31];
}

OWN int changing(int n) {
  volatile char *room = __builtin_alloca((unsigned)n * 8 + 16);
  room[0] = (char)n;
  room[n] = (char)leaf(n);
  return room[0] + recursive(n & 3) + room[n];
}

typedef int (*function)(int);
static const function functions[] = {leaf, recursive, changing};

OWN int indirect(int which, int n) {
  int sum = 0;
  for (int i = 0; i < 3; i++) sum += functions[(which + i) % 3](n + i);
  return sum;
}

/* Its last instruction is the call: what it would return to belongs to the next function. */
OWN __attribute__((noreturn)) void die(int code) {
  failures += (unsigned long)leaf(code);
  for (volatile int i = 0; i < 12; i++) total += (unsigned long)(i * code);
  escape(&back);
}

OWN void fail(int code) {
  total += (unsigned long)code;
  die(code + 1);
}

OWN int checked(int n) {
  if (n % 2 == 0) fail(n);
  return leaf(n);
}

OWN int after(int n) {
  return checked(n) + 1;
}

OWN void handle(int depth) {
  if (depth > 0) handle(depth - 1);
  else ticks++;
}

void on_timer(void) {
  handle((int)(ticks % 3));
  total += (unsigned long)leaf((int)ticks);
  out(0x20, 0x20);
}

OWN void start_timer(void) {
  unsigned long handler = (unsigned long)timer_entry;
  idt[32] = (struct gate){(unsigned short)handler, 8, 0x8e00, (unsigned short)(handler >> 16), 0, 0};
  struct {
    unsigned short limit;
    struct gate *base;
  } __attribute__((packed)) pointer = {sizeof(idt) - 1, idt};
  __asm__ volatile("lidt %0" : : "m"(pointer));
  /* 8259: vectors from 0x20, the timer alone. 8254: counter 0, mode 2, every 60 counts. */
  out(0x20, 0x11);
  out(0x21, 0x20);
  out(0x21, 4);
  out(0x21, 1);
  out(0x21, 0xfe);
  out(0x43, 0x34);
  out(0x40, 60);
  out(0x40, 0);
  __asm__ volatile("sti");
}

int main(void) {
  start_timer();
  for (volatile int round = 0; round < 40; round++) {
    total += (unsigned long)mix(round, 2, 3, 4, 5, 6, 7, 8);
    total += (unsigned long)indirect(round, round & 7);
    total += (unsigned long)changing(round & 15);
    if (mark(&back) == 0) total += (unsigned long)after(round);
  }
  __asm__ volatile("cli");
  return 0;
}

/*
 * A machine with two cards (82540EM) and a neighbour behind each, of which it has numbered frames acknowledged: each is
 * sent again until it is. It prints what it was sent, for each neighbour, and ends once nobody has said anything for a
 * while, in which a neighbour that lost its last answer asks eight times. It looks at its rings again and again,
 * without interrupts. Built by build.sh, on what drivers that are wrong begin with.
 */
#include "../hostile-driver/driver.h"

enum { CTRL = 0, RCTL = 0x100, TCTL = 0x400, RDBAL = 0x2800, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818 };
enum { TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818 };
enum { LINK_UP = 0x40, ENABLED = 2, PROMISCUOUS = 0x18, BROADCAST = 0x8000, DONE = 1, SEND_WHOLE = 0x0b000000 };
enum { CARDS = 2, RING = 8, COUNT = 12, BYTES = 96, TYPE = 0x88b5 };
enum { BARS = 0xe0000000, BAR_BYTES = 0x20000, INTEL_82540EM = 0x100e8086 };

typedef __attribute__((aligned(16))) u32 ring[RING * 4];

struct frame {
  u8 to[6], from[6];
  u16 type;
  u8 number, isAnswer;
  u8 bytes[BYTES];
};

struct device devices[MOST_DEVICES];
u32 deviceCount;

static struct card {
  ring sending, receiving;
  struct frame out[RING], in[RING];
  u8 room[RING][2048];
  u32 memory, sendTail, next, acknowledged, wasSent, got[COUNT];
  u64 resendAt;
} cards[CARDS];

void on_interrupt(void) { memory_write(APIC + 0xb0, 4, 0); }

/* QEMU's card takes nothing for a second once its receiver was turned on. */
static void wait_for_receivers(void) {
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  memory_write(APIC + 0xf0, 4, 0x1ff);
  memory_write(APIC + 0x3e0, 4, 0xb);
  memory_write(APIC + 0x320, 4, 0x60);
  memory_write(APIC + 0x380, 4, 1200000000);
  __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static u64 cycles(void) {
  u64 now;
  __asm__ volatile("rdtsc" : "=A"(now));
  return now;
}

/* Of two gigahertz. */
static u64 ms(u32 count) { return (u64)count * 2000000; }

static void put(struct card *card, u32 at, u32 value) { memory_write(card->memory + at, 4, value); }

static void begin(struct card *card, struct device *device, u32 index) {
  card->memory = BARS + BAR_BYTES * index;
  config_write(device, 0x10, 4, card->memory);
  config_write(device, 4, 2, 6);
  for (u32 i = 0; i < RING; i++) card->receiving[4 * i] = (u32)card->room[i];
  put(card, CTRL, LINK_UP);
  put(card, RDBAL, (u32)card->receiving);
  put(card, RDLEN, sizeof card->receiving);
  put(card, RDT, RING - 1);
  put(card, RCTL, ENABLED | PROMISCUOUS | BROADCAST);
  put(card, TDBAL, (u32)card->sending);
  put(card, TDLEN, sizeof card->sending);
  put(card, TCTL, ENABLED);
}

static void send(struct card *card, u32 number, u32 isAnswer) {
  u32 at = card->sendTail;
  struct frame *frame = &card->out[at];
  for (u32 i = 0; i < 6; i++) frame->to[i] = 0xff, frame->from[i] = card == cards ? 2 : 6;
  frame->type = (u16)(TYPE >> 8 | TYPE << 8);
  frame->number = number, frame->isAnswer = isAnswer;
  for (u32 i = 0; i < BYTES; i++) frame->bytes[i] = number * 31 + i;
  card->sending[4 * at] = (u32)frame;
  card->sending[4 * at + 2] = SEND_WHOLE | sizeof *frame;
  card->sending[4 * at + 3] = 0;
  card->sendTail = (at + 1) % RING;
  put(card, TDT, card->sendTail);
}

static u32 sum_of(const struct frame *frame) {
  u32 sum = frame->number;
  for (u32 i = 0; i < BYTES; i++) sum = sum * 31 + frame->bytes[i];
  return sum;
}

/* Take what has come. Returns how much that was. */
static u32 take(struct card *card) {
  volatile u32 *descriptor = &card->receiving[4 * card->next];
  const struct frame *frame = (const void *)card->room[card->next];
  if (!(descriptor[3] & DONE)) return 0;
  descriptor[3] = 0;
  put(card, RDT, card->next);
  card->next = (card->next + 1) % RING;
  if (frame->number >= COUNT) return 1;
  if (frame->isAnswer) {
    if (frame->number == card->acknowledged) card->acknowledged++, card->wasSent = 0;
  } else {
    card->got[frame->number] = sum_of(frame);
    send(card, frame->number, 1);
  }
  return 1;
}

static void go_on(struct card *card) {
  if (card->acknowledged == COUNT || (card->wasSent && cycles() < card->resendAt)) return;
  send(card, card->acknowledged, 0);
  card->wasSent = 1;
  card->resendAt = cycles() + ms(10);
}

static void print(u32 value) {
  for (u32 i = 0; i < 8; i++) outb(COM1, "0123456789abcdef"[value >> (28 - 4 * i) & 15]);
  outb(COM1, '\n');
}

void drive(void) {
  for (u32 slot = 0; slot < 32 && deviceCount < CARDS; slot++) {
    struct device *device = &devices[deviceCount];
    device->slot = slot;
    if (config_read(device, 0, 4) == INTEL_82540EM) begin(&cards[deviceCount], device, deviceCount), deviceCount++;
  }
  wait_for_receivers();
  for (u64 quietSince = cycles(); cycles() < quietSince + ms(80);) {
    for (u32 i = 0; i < CARDS; i++) {
      go_on(&cards[i]);
      if (take(&cards[i]) || cards[i].acknowledged < COUNT) quietSince = cycles();
    }
    for (u32 turns = 0; turns < 20; turns++) __asm__ volatile("pause");
  }
  for (u32 i = 0; i < CARDS; i++) {
    u32 sum = 0;
    for (u32 number = 0; number < COUNT; number++) sum = sum * 33 + cards[i].got[number];
    print(sum);
  }
  /* The keyboard controller resets the machine, which ends its run with -no-reboot. */
  outb(0x64, 0xfe);
  for (;;) __asm__ volatile("hlt");
}

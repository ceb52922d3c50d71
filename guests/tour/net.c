/* An 82540EM (Intel's PCI/PCI-X Family of Gigabit Ethernet Controllers, chapters 3 and 13) that asks who has an address. */
#include "pci.h"

enum { E1000 = 0x100e8086, REGISTERS = 0xfeb80000 };
enum {
  CTRL = 0x0, RCTL = 0x100, TCTL = 0x400, RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808,
  RDH = 0x2810, RDT = 0x2818, TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, RAL = 0x5400,
  RAH = 0x5404,
};
enum { SET_LINK_UP = 1 << 6, RESET = 1 << 26, ENABLE = 1 << 1, BROADCAST = 1 << 15, PAD = 1 << 3 };
enum { EOP = 1, IFCS = 2, RS = 8, DD = 1 };
enum { RING = 8, BUFFER = 2048, FRAME = 60 };

struct descriptor { uint64_t address; uint16_t length; uint8_t cso, command, status, css; uint16_t special; };

static volatile struct descriptor send[RING] __attribute__((aligned(128))), receive[RING] __attribute__((aligned(128)));
static uint8_t buffers[RING][BUFFER], frame[FRAME];
static uint32_t at;

static void copy(uint8_t *to, const void *from, int length) {
  for (int i = 0; i < length; i++) to[i] = ((const uint8_t *)from)[i];
}

int net_begin(uint8_t mac[6]) {
  const uint32_t slot = slot_of(E1000);
  if (slot == SLOTS) return 0;
  at = bar(slot, BAR0, REGISTERS);
  set_config(slot, COMMAND, 7);
  write32(at + CTRL, RESET);
  write32(at + CTRL, SET_LINK_UP);
  const uint32_t low = read32(at + RAL), high = read32(at + RAH);
  copy(mac, &low, 4), copy(mac + 4, &high, 2);
  for (int i = 0; i < RING; i++) receive[i].address = (uint64_t)buffers[i];
  write32(at + RDBAL, (uint32_t)(uint64_t)receive), write32(at + RDBAH, 0), write32(at + RDLEN, sizeof receive);
  write32(at + RDH, 0), write32(at + RDT, RING - 1);
  write32(at + TDBAL, (uint32_t)(uint64_t)send), write32(at + TDBAH, 0), write32(at + TDLEN, sizeof send);
  write32(at + TDH, 0), write32(at + TDT, 0);
  write32(at + RCTL, ENABLE | BROADCAST);
  write32(at + TCTL, ENABLE | PAD);
  return 1;
}

/* Ethernet and ARP (RFC 826). */
static const uint8_t REQUEST[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
enum { SOURCE = 6, OPERATION = 21, SENDER = 22, SENDER_ADDRESS = 28, TARGET_ADDRESS = 38, REPLY = 2 };

void net_ask(const uint8_t mac[6], const uint8_t own[4], const uint8_t address[4]) {
  copy(frame, REQUEST, sizeof REQUEST);
  copy(frame + SOURCE, mac, 6), copy(frame + SENDER, mac, 6);
  copy(frame + SENDER_ADDRESS, own, 4), copy(frame + TARGET_ADDRESS, address, 4);
  send[0].address = (uint64_t)frame, send[0].length = FRAME, send[0].command = EOP | IFCS | RS, send[0].status = 0;
  write32(at + TDT, 1);
}

/* Whether a reply has come: whose it is. */
int net_answer(uint8_t mac[6]) {
  for (int i = 0; i < RING; i++) {
    if (!(receive[i].status & DD) || buffers[i][OPERATION] != REPLY) continue;
    copy(mac, buffers[i] + SENDER, 6);
    return 1;
  }
  return 0;
}

/* A virtio-blk-pci by its legacy registers (virtio 1.0, 4.1.4.8), one request at a time, its completion by MSI-X. */
#include "pci.h"

enum {
  VIRTIO_BLK = 0x10011af4, MSIX = 0x11, MSIX_ENABLE = 1u << 31,
  /* Where BARs are put when no firmware did. */
  PORT = 0xc000, TABLE = 0xfebf0000,
};
enum { GUEST_FEATURES = 4, QUEUE_PFN = 8, QUEUE_SIZE = 12, QUEUE_NOTIFY = 16, DEVICE_STATUS = 18, QUEUE_VECTOR = 22, CAPACITY = 24 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURE_FLUSH = 1 << 9 };
enum { NEXT = 1, WRITE = 2 };

struct descriptor { uint64_t address; uint32_t length; uint16_t flags, next; };

static uint8_t ring[16384] __attribute__((aligned(4096)));
static struct { uint32_t type, reserved; uint64_t sector; } header;
static volatile uint8_t status;
static uint16_t port, size, made;
static volatile uint32_t *interrupts;

/* The first vector goes to this processor; the table is where BAR 1 begins. */
static void use_vector(uint32_t slot, uint32_t vector) {
  const uint64_t table = bar(slot, BAR1, TABLE);
  uint32_t at = config(slot, CAPABILITIES) & 255;
  while (at && (config(slot, at) & 255) != MSIX) at = config(slot, at) >> 8 & 255;
  set_config(slot, at, config(slot, at) | MSIX_ENABLE);
  write32(table, 0xfee00000);
  write32(table + 4, 0);
  write32(table + 8, vector);
  write32(table + 12, 0);
}

uint64_t disk_begin(uint32_t vector, volatile uint32_t *counted) {
  interrupts = counted;
  const uint32_t slot = slot_of(VIRTIO_BLK);
  if (slot == SLOTS) return 0;
  port = (uint16_t)bar(slot, BAR0, PORT);
  set_config(slot, COMMAND, 7); /* I/O, memory, bus master */
  use_vector(slot, vector);
  out8(port + DEVICE_STATUS, 0);
  out8(port + DEVICE_STATUS, ACKNOWLEDGE | DRIVER);
  out32(port + GUEST_FEATURES, in32(port) & FEATURE_FLUSH);
  size = in16(port + QUEUE_SIZE);
  out32(port + QUEUE_PFN, (uint32_t)(uint64_t)ring >> 12);
  out16(port + QUEUE_VECTOR, 0);
  out8(port + DEVICE_STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
  return in32(port + CAPACITY);
}

int disk_request(uint32_t type, uint64_t sector, void *bytes, uint32_t length) {
  struct descriptor *const descriptors = (struct descriptor *)ring;
  volatile uint16_t *const available = (uint16_t *)(ring + 16 * size);
  volatile uint16_t *const used = (uint16_t *)(ring + ((18 * size + 6 + 4095) & ~4095));
  const uint16_t writes = type == DISK_READ ? WRITE : 0;
  const uint32_t before = *interrupts;
  header.type = type, header.sector = sector, status = 255;
  descriptors[0] = (struct descriptor){(uint64_t)&header, sizeof header, NEXT, length ? 1 : 2};
  descriptors[1] = (struct descriptor){(uint64_t)bytes, length, (uint16_t)(NEXT | writes), 2};
  descriptors[2] = (struct descriptor){(uint64_t)&status, 1, WRITE, 0};
  available[2 + made % size] = 0;
  __asm__ volatile("" ::: "memory");
  available[1] = ++made;
  out16(port + QUEUE_NOTIFY, 0);
  while (*interrupts == before || used[1] != made) enable_and_halt();
  return status;
}

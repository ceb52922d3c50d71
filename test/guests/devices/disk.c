/*
 * Drives a virtio-blk-pci in slot 2 by its legacy registers, as its command line says, a word a step:
 *   w8=41 w8+4=41   write sector 8, or four from there on, full of 0x41: prints w and the status
 *   r8 r8+4         read: prints r, the status, and the first byte of each sector
 *   z8+4 d8+4       write zeroes, discard
 *   f               flush
 *   i               ask for the serial, and print it
 *   c0 c1           write cache off, on
 *   q               print q, the write cache's byte of the configuration, and of the features the lowest
 *   w8=41&w9=42     both at once, one notification
 * Waits for each by its MSI-X vector. Ends with a new line and status 0x21.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { PORT = 0xc000, SECTOR = 512, MOST = 16, AT_ONCE = 8 };
enum { GUEST_FEATURES = 4, QUEUE_PFN = 8, QUEUE_SIZE = 12, NOTIFY = 16, STATUS = 18, VECTOR = 22, WCE = 24 + 32 };
enum { FLUSH = 1 << 9, CONFIG_WCE = 1 << 11, DISCARD = 1 << 13, WRITE_ZEROES = 1 << 14 };

struct descriptor {
  u64 address;
  u32 length;
  u16 flags, next;
};

struct request {
  struct { u32 type, priority; u64 sector; } header;
  struct { u64 sector; u32 count, flags; } range;
  u8 data[MOST * SECTOR];
  u8 status;
  char letter;
  u32 count;
};

static u8 ring[16384] __attribute__((aligned(4096)));
static struct request requests[AT_ONCE];
static u32 size, made;


static void put(char letter) { __asm__ volatile("call print" ::"a"(letter) : "memory"); }
static void set(u32 reg, u32 value) { __asm__ volatile("call config" : "+a"(value), "+c"(reg)::"edx", "memory"); }
static void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "d"(port)); }
static void outw(u16 port, u16 value) { __asm__ volatile("outw %0, %1" ::"a"(value), "d"(port)); }
static void outl(u16 port, u32 value) { __asm__ volatile("outl %0, %1" ::"a"(value), "d"(port)); }
static u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port));
  return value;
}
static u16 inw(u16 port) {
  u16 value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "d"(port));
  return value;
}

static void hex(u8 value) {
  put("0123456789abcdef"[value >> 4]);
  put("0123456789abcdef"[value & 15]);
}

static struct descriptor *descriptors(void) { return (struct descriptor *)ring; }
static volatile u16 *available(void) { return (u16 *)(ring + 16 * size); }
static volatile u16 *used(void) { return (u16 *)(ring + ((18 * size + 6 + 4095) & ~4095u)); }

static void find_device(void) {
  volatile u32 *table = (u32 *)0xe2000000;
  /* Firmware leaves its timer running. */
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  set(0x10, PORT);
  set(0x04, 7);
  set(0x98, 0x80000000);
  table[0] = 0xfee00000;
  table[1] = 0;
  table[2] = 0x50;
  table[3] = 0;
  outb(PORT + STATUS, 0);
  outb(PORT + STATUS, 3);
  outl(PORT + GUEST_FEATURES, FLUSH | CONFIG_WCE | DISCARD | WRITE_ZEROES);
  size = inw(PORT + QUEUE_SIZE);
  outl(PORT + QUEUE_PFN, (u32)ring >> 12);
  outw(PORT + VECTOR, 0);
  outb(PORT + STATUS, 7);
}

static u32 number(const char **at, u32 base) {
  u32 value = 0;
  for (;; (*at)++) {
    u32 letter = **at;
    u32 digit = letter - '0' < 10 ? letter - '0' : letter - 'a' + 10;
    if (digit >= base) return value;
    value = value * base + digit;
  }
}

static void describe(u32 at, void *address, u32 length, u16 flags) {
  descriptors()[at] = (struct descriptor){(u32)address, length, flags, at + 1};
}

/* A request becomes three descriptors that are available. */
void submit_request(struct request *asked, u32 slot) {
  u32 isWrite = asked->header.type & 1;
  u32 isRange = asked->letter == 'z' || asked->letter == 'd';
  u32 length = asked->letter == 'i' ? 20 : isRange ? sizeof asked->range : asked->count * SECTOR;
  u32 at = 3 * slot;
  asked->status = 0xff;
  describe(at, &asked->header, sizeof asked->header, 1);
  if (length) describe(at + 1, isRange ? (void *)&asked->range : asked->data, length, isWrite ? 1 : 3);
  else descriptors()[at].next = at + 2;
  describe(at + 2, &asked->status, 1, 2);
  available()[2 + made++ % size] = at;
}

static void parse(struct request *asked, const char **at) {
  static const char LETTERS[] = "rwfidz";
  static const u8 TYPES[] = {0, 1, 4, 8, 11, 13};
  u32 kind = 0;
  asked->letter = *(*at)++;
  while (kind < 5 && LETTERS[kind] != asked->letter) kind++;
  asked->header.type = TYPES[kind];
  asked->header.sector = asked->range.sector = number(at, 10);
  asked->count = asked->letter == 'f' ? 0 : 1;
  if (**at == '+') (*at)++, asked->count = number(at, 10);
  asked->range.count = asked->count;
  asked->range.flags = 0;
  if (asked->letter == 'd' || asked->letter == 'z') asked->header.sector = 0;
  u8 byte = 0;
  if (**at == '=') (*at)++, byte = number(at, 16);
  for (u32 i = 0; i < sizeof asked->data; i++) asked->data[i] = byte;
}

static void wait_for_all(void) {
  while (used()[1] != (u16)made) __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static void tell(struct request *asked) {
  put(asked->letter);
  put('0' + asked->status);
  if (asked->letter == 'r')
    for (u32 i = 0; i < asked->count; i++) put(i ? '.' : ':'), hex(asked->data[i * SECTOR]);
  if (asked->letter == 'i') {
    put(':');
    for (u32 i = 0; i < 20 && asked->data[i]; i++) put(asked->data[i]);
  }
  put(' ');
}

/* `information`: Multiboot's. The first word of the command line is the program. */
void disk(u32 *information) {
  const char *at = (const char *)information[4];
  find_device();
  while (*at && *at != ' ') at++;
  while (*at) {
    if (*at == ' ') {
      at++;
      continue;
    }
    if (*at == 'c') {
      outb(PORT + WCE, at[1] - '0');
      at += 2;
      continue;
    }
    if (*at == 'q') {
      at++;
      put('q');
      hex(inb(PORT + WCE));
      hex(inb(PORT));
      put(' ');
      continue;
    }
    u32 count = 0;
    do {
      if (*at == '&') at++;
      parse(&requests[count], &at);
      submit_request(&requests[count], count);
      count++;
    } while (*at == '&' && count < AT_ONCE);
    available()[1] = made;
    outw(PORT + NOTIFY, 0);
    wait_for_all();
    for (u32 i = 0; i < count; i++) tell(&requests[i]);
    while (*at && *at != ' ') at++;
  }
  put('\n');
}

/* What the parts of the hostile driver share. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum {
  MEMORY_END = 0x1000000,
  /* Rings and buffers lie here. */
  ARENA = 0x400000,
  ARENA_END = 0x800000,
  APIC = 0xfee00000,
  IOAPIC = 0xfec00000,
  COM1 = 0x3f8,
  MOST_DEVICES = 12,
  MOST_QUEUES = 5,
};

/* Registers of the legacy interface, and of the common structure of the modern one. */
enum { L_FEATURES = 0, L_ACCEPT = 4, L_PFN = 8, L_SIZE = 12, L_SELECT = 14, L_NOTIFY = 16, L_STATUS = 18, L_ISR = 19, L_CONFIG_VECTOR = 20, L_VECTOR = 22 };
enum { C_OFFERED_SELECT = 0, C_OFFERED = 4, C_ACCEPT_SELECT = 8, C_ACCEPT = 12, C_CONFIG_VECTOR = 16, C_QUEUES = 18, C_STATUS = 20, C_SELECT = 22, C_SIZE = 24, C_VECTOR = 26, C_ENABLE = 28, C_DESC = 32, C_AVAIL = 40, C_USED = 48, C_RESET = 58 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

/* What a device is for. */
enum kind { BLOCK, ENTROPY, NETWORK };
/* How a driver reaches registers: ports, memory, or the window in configuration space. */
enum way { LEGACY, MODERN, WINDOW };
/* Structures of the modern interface, as they lie in BAR 4. */
enum structure { COMMON = 0, ISR = 0x1000, OWN = 0x2000, NOTIFY = 0x3000 };

struct descriptor {
  u64 address;
  u32 length;
  u16 flags, next;
};

struct queue {
  struct descriptor *desc;
  volatile u16 *avail, *used;
  u16 size, made, next;
};

struct device {
  u32 slot, port, memory, vectors;
  u8 hasLegacy, hasModern, isLive;
  enum kind kind;
  /* Where its capabilities lie in configuration space; 0: there is none. */
  u8 window, msix;
  u8 usesMsix;
  u32 notifyMultiplier, queueCount, offered[2], accepted[2];
  enum way way;
  struct queue queues[MOST_QUEUES];
};

extern struct device devices[MOST_DEVICES];
extern u32 deviceCount;

/* start.S */
void finish(void);

/* chance.c */
void sow(u32 seed);
u32 chance(void);
u32 below(u32 limit);
u32 once(u32 times);
u32 word(void);
u64 wild(void);

/* ports.c */
void outb(u16 port, u8 value);
void outw(u16 port, u16 value);
void outl(u16 port, u32 value);
u8 inb(u16 port);
u16 inw(u16 port);
u32 inl(u16 port);
u32 config_read(struct device *device, u32 at, u32 size);
void config_write(struct device *device, u32 at, u32 size, u32 value);
u32 memory_read(u32 at, u32 size);
void memory_write(u32 at, u32 size, u32 value);
void *allocate(u32 bytes, u32 aligned);
void wait_some(void);

/* functions.c */
void find_devices(void);
void place(struct device *device);
void odd_function(struct device *device);

/* registers.c */
u32 read_register(struct device *device, enum structure structure, u32 at, u32 size);
void write_register(struct device *device, enum structure structure, u32 at, u32 size, u32 value);
u32 status_of(struct device *device);
void set_status(struct device *device, u32 value);
void select_queue(struct device *device, u32 queue);
void set_up(struct device *device);
void notify(struct device *device, u32 queue);
void odd_register(struct device *device);

/* requests.c */
void ask(struct device *device);

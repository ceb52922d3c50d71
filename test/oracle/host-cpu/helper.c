/*
 * Runs single user-mode instructions on the host processor and reports what they did.
 *
 * stdin: records of 1216 bytes (see record.ts); stdout: the same records, changed in place.
 * Each record is loaded into a signal frame; the kernel's sigreturn puts it into the registers,
 * the instruction runs, and the INT3 behind it (or the fault it raised) brings the new state back.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define DATA 0x200000ul
#define DATA_SIZE 0x2000ul
#define WINDOW 0x200f00ul
#define CODE 0x300000ul
#define ENTRY 0x300800ul
/* In the place of a vector: see record.ts. */
#define HUNG 255u
#define NO_SEGMENTS 254u
/* Mapped behind CODE, for code segments of more than a page. */
#define CODE_SIZE 0x20000ul
/* 16-bit segments of the local descriptor table. */
#define CODE16 0x7ul
#define DATA16 0xful
/* The code segment of a case that names its end. */
#define CODE_LIMITED 0x17ul
#define DATA16_BASE 0x1f8000ul

struct record {
  uint8_t length, mode, pad0[2];
  uint32_t code_limit;
  uint8_t pad1[8];
  uint8_t code[16];
  uint64_t gpr[16]; /* hardware order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
  uint64_t rflags, rip;
  uint32_t vector, error;
  uint64_t cr2;
  uint8_t fx[512];
  uint8_t window[512];
};

static const int ORDER[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static struct record *records;
static size_t count, at;
static int started, have_segments;
static size_t alarmed; /* 1 + the case in which the last alarm rang */
static gregset_t home;
static uint8_t home_fx[512];

static void use_data_segments(uint64_t selector) {
  __asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(selector));
}

static void make_limited(const struct record *r) {
  struct user_desc code = {.entry_number = 2, .base_addr = CODE, .limit = r->code_limit, .contents = 2};
  code.seg_32bit = r->mode == 1;
  syscall(SYS_modify_ldt, 1, &code, sizeof code);
}

static void load(ucontext_t *uc, const struct record *r) {
  memset((void *)ENTRY, 0xcc, 16);
  memcpy((void *)ENTRY, r->code, r->length);
  memcpy((void *)WINDOW, r->window, sizeof r->window);
  greg_t *g = uc->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) g[ORDER[i]] = (greg_t)r->gpr[i];
  g[REG_EFL] = (greg_t)r->rflags;
  if (r->code_limit) make_limited(r);
  const uint64_t cs = r->code_limit ? CODE_LIMITED : r->mode == 0 ? 0x33 : r->mode == 1 ? 0x23 : CODE16;
  const uint64_t ss = r->mode == 2 ? DATA16 : 0x2b;
  g[REG_RIP] = (greg_t)(r->mode == 2 || r->code_limit ? ENTRY - CODE : ENTRY);
  g[REG_CSGSFS] = (greg_t)((home[REG_CSGSFS] & 0x0000ffffffff0000ull) | cs | (ss << 48));
  use_data_segments(ss);
  uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
  memcpy(fx, r->fx, 464);
  *(uint64_t *)(fx + 512) |= 3; /* XSTATE_BV: the x87 and SSE parts are present */
}

static void store(const ucontext_t *uc, struct record *r, unsigned vector) {
  const greg_t *g = uc->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) r->gpr[i] = (uint64_t)g[ORDER[i]];
  r->rflags = (uint64_t)g[REG_EFL];
  r->rip = (uint64_t)g[REG_RIP];
  r->vector = vector;
  r->error = (uint32_t)g[REG_ERR];
  r->cr2 = (uint64_t)g[REG_CR2];
  memcpy(r->fx, uc->uc_mcontext.fpregs, 464);
  memcpy(r->window, (void *)WINDOW, sizeof r->window);
}

static void skip_impossible(void) {
  for (; at < count && (records[at].mode == 2 || records[at].code_limit) && !have_segments; at++) records[at].vector = NO_SEGMENTS;
}

static void on_signal(int signal, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  (void)info;
  if (signal == SIGPROF && (!started || alarmed != at + 1)) {
    alarmed = at + 1;
    return;
  }
  if (!started) {
    memcpy(home, uc->uc_mcontext.gregs, sizeof home);
    memcpy(home_fx, uc->uc_mcontext.fpregs, sizeof home_fx);
    started = 1;
  } else {
    store(uc, &records[at], signal == SIGPROF ? HUNG : (unsigned)uc->uc_mcontext.gregs[REG_TRAPNO]);
    memset((void *)DATA, 0, DATA_SIZE);
    at++;
  }
  skip_impossible();
  if (at < count) {
    load(uc, &records[at]);
  } else {
    memcpy(uc->uc_mcontext.gregs, home, sizeof home);
    memcpy(uc->uc_mcontext.fpregs, home_fx, 464);
  }
}

static void *map(unsigned long address, size_t size, int protection) {
  void *p = mmap((void *)address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (p != (void *)address) {
    fprintf(stderr, "host-cpu helper: cannot map %#lx: %s\n", address, strerror(errno));
    exit(2);
  }
  return p;
}

static void make_segments(void) {
  struct user_desc code = {.entry_number = 0, .base_addr = CODE, .limit = 0xffff, .contents = 2};
  struct user_desc data = {.entry_number = 1, .base_addr = DATA16_BASE, .limit = 0xffff, .contents = 0};
  have_segments = !syscall(SYS_modify_ldt, 1, &code, sizeof code) && !syscall(SYS_modify_ldt, 1, &data, sizeof data);
}

static void read_records(void) {
  size_t size = 0, room = 1 << 20;
  uint8_t *bytes = malloc(room);
  for (ssize_t n; (n = read(0, bytes + size, room - size)) > 0;) {
    size += (size_t)n;
    if (size == room) bytes = realloc(bytes, room *= 2);
  }
  records = (struct record *)bytes;
  count = size / sizeof(struct record);
}

int main(void) {
  _Static_assert(sizeof(struct record) == 1216, "record.ts relies on this layout");
  read_records();
  map(DATA, DATA_SIZE, PROT_READ | PROT_WRITE);
  memset(map(CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC), 0xcc, CODE_SIZE);
  make_segments();
  stack_t stack = {.ss_sp = malloc(1 << 20), .ss_size = 1 << 20};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF};
  for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) sigfillset(&action.sa_mask), sigaction(signals[i], &action, NULL);
  /* Time of the processor, not of the clock: a busy machine is no reason to call a case endless. */
  struct itimerval beat = {{0, 20000}, {0, 20000}};
  setitimer(ITIMER_PROF, &beat, NULL);
  /* 32-bit code needs usable data segments; 64-bit code ignores them. */
  use_data_segments(0x2b);
  /* Not by an INT3: how that arrives is for the cases to find out. */
  if (count > 0) raise(SIGTRAP);
  memset(&beat, 0, sizeof beat);
  setitimer(ITIMER_PROF, &beat, NULL);
  for (size_t done = 0, size = count * sizeof(struct record); done < size;) {
    ssize_t n = write(1, (uint8_t *)records + done, size - done);
    if (n <= 0) return 3;
    done += (size_t)n;
  }
  return 0;
}

/*
 * Runs single x87 and SSE instructions on the host processor. Records of 512 bytes come on stdin and go back on stdout:
 *   0 length of the code, 1..15 code ([rdi] is the memory operand)
 *  24 rax  32 rflags  40 mxcsr  44 signal caught (0: none)
 *  64 FSAVE image (108 bytes)  192 xmm0  208 xmm1  256 memory operand (256 bytes)
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>

struct record {
  uint8_t length, code[15], pad0[8];
  uint64_t rax, rflags;
  uint32_t mxcsr, caught;
  uint32_t plain_mxcsr, pad1[3];
  uint8_t image[128];
  uint8_t xmm[2][16];
  uint8_t pad2[32];
  uint8_t memory[256];
};

extern uint8_t head[], head_end[], tail[], tail_end[];
__asm__(
  ".text\n"
  "head: push %rbx\n mov %rdi, %rbx\n lea 256(%rbx), %rdi\n"
  "frstor 64(%rbx)\n ldmxcsr 40(%rbx)\n movups 192(%rbx), %xmm0\n movups 208(%rbx), %xmm1\n"
  "mov 24(%rbx), %rax\n pushq 32(%rbx)\n popfq\n"
  "head_end: nop\n"
  "tail: pushfq\n popq 32(%rbx)\n mov %rax, 24(%rbx)\n stmxcsr 40(%rbx)\n"
  "movups %xmm0, 192(%rbx)\n movups %xmm1, 208(%rbx)\n ldmxcsr 48(%rbx)\n fnsave 64(%rbx)\n cld\n"
  "pop %rbx\n ret\n"
  "tail_end: nop\n");

static uint8_t *page;
static uintptr_t resume;
static volatile uint32_t caught, caught_mxcsr;

static void on_signal(int number, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  (void)info;
  caught = number;
  caught_mxcsr = u->uc_mcontext.fpregs->mxcsr;
  u->uc_mcontext.fpregs->mxcsr = 0x1f80;
  u->uc_mcontext.gregs[REG_RIP] = resume;
}

int main(void) {
  static struct record r;
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGFPE, &action, NULL);
  sigaction(SIGILL, &action, NULL);
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED || sizeof r != 512) return 2;
  size_t before = head_end - head, after = tail_end - tail;
  memcpy(page, head, before);
  while (fread(&r, sizeof r, 1, stdin) == 1) {
    memcpy(page + before, r.code, r.length);
    memcpy(page + before + r.length, tail, after);
    resume = (uintptr_t)page + before + r.length;
    caught = 0;
    r.plain_mxcsr = 0x1f80;
    ((void (*)(struct record *))page)(&r);
    r.caught = caught;
    if (caught) r.mxcsr = caught_mxcsr;
    fwrite(&r, sizeof r, 1, stdout);
  }
  return 0;
}

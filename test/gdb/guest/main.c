/* A guest to be debugged by its lines. Comments of the form "at NAME" are the places tests go to. */

struct point {
  int x;
  int y;
};

struct gate {
  unsigned short low, selector, flags, middle;
  unsigned int high, zero;
};

volatile unsigned long timer_count;
extern void on_timer(void);
extern unsigned int boot_info;

int counter;
struct point corner = {1, 2};
static int squares[8];
char source[64] = "the quick brown fox jumps over the lazy dog, twice as it seems";
char copied[64];
volatile int spinning;
static struct gate idt[33];
static char pages[0x4000] __attribute__((aligned(4096)));

static void out(unsigned short port, unsigned char value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static int square(int n) {
  int result = n * n; /* at square */
  return result;      /* at square returns */
}

static int sum_of_squares(int last) {
  int sum = 0; /* at sum begins */
  for (int i = 1; i <= last; i++) {
    squares[i] = square(i); /* at sum calls */
    sum += squares[i];      /* at sum adds */
  }
  return sum; /* at sum returns */
}

static int factorial(int n) {
  int below = 1; /* at factorial */
  if (n > 1) {
    below = factorial(n - 1); /* at recursion */
  }
  return n * below; /* at factorial returns */
}

static void count(void) {
  counter = 1; /* at count 1 */
  counter = 2;
  counter += 5;
  counter = 7; /* at count same */
  counter = 11;
} /* at count ends */

static void copy_text(void) {
  char *from = source;
  char *to = copied;
  unsigned long left = sizeof(source);
  __asm__ volatile("repeat: rep movsb" : "+S"(from), "+D"(to), "+c"(left) : : "memory"); /* at copy */
  counter = 12; /* at copied */
}

/* Over pages nobody has touched, so that the repetition is cut by VM exits. */
static void fill_pages(void) {
  char *to = pages;
  unsigned long left = sizeof(pages);
  __asm__ volatile("fill: rep stosb" : "+D"(to), "+c"(left) : "a"(0x5a) : "memory"); /* at fill */
  counter = 13; /* at filled */
}

static void start_timer(void) {
  unsigned long handler = (unsigned long)on_timer;
  idt[32] = (struct gate){handler, 8, 0x8e00, handler >> 16, handler >> 32, 0};
  struct {
    unsigned short limit;
    struct gate *base;
  } __attribute__((packed)) pointer = {sizeof(idt) - 1, idt};
  __asm__ volatile("lidt %0" : : "m"(pointer));
  /* 8259: vectors from 0x20, the timer alone. 8254: counter 0, mode 2, every 500 counts. */
  out(0x20, 0x11);
  out(0x21, 0x20);
  out(0x21, 4);
  out(0x21, 1);
  out(0x21, 0xfe);
  out(0x43, 0x34);
  out(0x40, 500 & 0xff);
  out(0x40, 500 >> 8);
  __asm__ volatile("sti");
}

static int busy(int rounds) {
  int total = 0; /* at busy */
  for (int i = 0; i < rounds; i++) {
    total += i; /* at busy adds */
  }
  return total; /* at busy ends */
}

/* Whether the command line ends with "spin". */
static int asked_to_spin(void) {
  const char *line = (const char *)(unsigned long)((unsigned int *)(unsigned long)boot_info)[4];
  const char *end = line;
  while (*end != 0) {
    end++;
  }
  return end - line >= 4 && end[-4] == 's' && end[-3] == 'p' && end[-2] == 'i' && end[-1] == 'n';
}

int main(void) {
  int first = square(3);          /* at main begins */
  int total = sum_of_squares(5);  /* at main sums */
  int product = factorial(5);     /* at main multiplies */
  corner.x = first + total;       /* at main moves */
  corner.y = product;
  count();      /* at main counts */
  copy_text();  /* at main copies */
  fill_pages();
  start_timer();
  total = busy(20000); /* at main is busy */
  spinning = asked_to_spin();
  while (spinning) { /* at main spins */
    counter++;
  }
  __asm__ volatile("cli");
  return total + corner.y; /* at main ends */
}

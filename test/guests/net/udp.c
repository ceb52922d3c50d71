/*
 * Datagrams one at a time, for counts of what each costs: `udp COUNT SPIN LISTEN` sends COUNT of them to 10.0.2.100,
 * port 7 if it listens for as many answers, else port 9, and turns SPIN cycles in place after each. Of nothing but
 * system calls: built without a library.
 */
typedef unsigned long u64;

enum { WRITE = 1, SOCKET = 41, CONNECT = 42, SENDTO = 44, RECVFROM = 45, EXIT = 60 };
enum { AF_INET = 2, SOCK_DGRAM = 2 };

static long call(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = 0;
	register long r9 asm("r9") = 0;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return result;
}

static u64 cycles(void)
{
	unsigned low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static u64 number(const char *text)
{
	u64 value = 0;

	while (*text)
		value = value * 10 + (*text++ - '0');
	return value;
}

struct address {
	unsigned short family, port;
	unsigned char ip[4], zero[8];
};

__attribute__((used)) static void begin(long *stack)
{
	char **args = (char **)(stack + 1);
	u64 count = number(args[1]), spin = number(args[2]), listens = number(args[3]);
	struct address to = { AF_INET, (listens ? 7 : 9) << 8, { 10, 0, 2, 100 }, { 0 } };
	char bytes[64] = "datagram";
	long fd = call(SOCKET, AF_INET, SOCK_DGRAM, 0, 0);
	u64 came = 0;

	call(CONNECT, fd, (long)&to, sizeof to, 0);
	for (u64 sent = 0; sent < count; sent++) {
		u64 until = cycles() + spin;

		call(SENDTO, fd, (long)bytes, sizeof bytes, 0);
		while (cycles() < until)
			;
	}
	while (listens && came < count)
		came += call(RECVFROM, fd, (long)bytes, sizeof bytes, 0) == sizeof bytes;
	call(EXIT, came == (listens ? count : 0) ? 0 : 1, 0, 0, 0);
}

asm(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");

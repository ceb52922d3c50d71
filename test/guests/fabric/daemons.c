/*
 * What the machines of these tests run instead of an init of their own. The kernel's command line says who one is:
 *
 *   role=keeper                       keeps a counter, and ends once two clients are done with it
 *   role=client wait=MS               adds one to it, so long after it was told to: reads, adds, writes
 *   role=node self=N peers=A,B        sends numbered datagrams to each of two others until each has them all
 *
 * Cards and addresses: cards=10.9.0.1,10.9.1.1 gives eth0 the first and eth1 the second.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 2000 };

static const char *said(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static void insert(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (syscall(SYS_finit_module, file, "", 0) != 0)
		perror(path);
	close(file);
}

static struct sockaddr_in at(const char *address)
{
	struct sockaddr_in place = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	inet_aton(address, &place.sin_addr);
	return place;
}

static void bring_up(int any, const char *card, const char *address)
{
	struct ifreq request = { 0 };
	struct sockaddr_in place = at(address);

	strcpy(request.ifr_name, card);
	memcpy(&request.ifr_addr, &place, sizeof place);
	if (ioctl(any, SIOCSIFADDR, &request) != 0)
		perror(card);
	place = at("255.255.255.0");
	memcpy(&request.ifr_netmask, &place, sizeof place);
	ioctl(any, SIOCSIFNETMASK, &request);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	ioctl(any, SIOCSIFFLAGS, &request);
}

/* Drivers, cards, and a socket that hears all of them. */
static int begin(void)
{
	int any = socket(AF_INET, SOCK_DGRAM, 0);
	char cards[64], name[] = "eth0", *rest = cards;
	struct sockaddr_in here = at("0.0.0.0");

	for (char path[] = "/modules/0.ko"; access(path, R_OK) == 0; path[9]++)
		insert(path);
	strncpy(cards, said("cards"), sizeof cards - 1);
	for (char *each; (each = strsep(&rest, ",")) != NULL; name[3]++)
		bring_up(any, name, each);
	bind(any, (struct sockaddr *)&here, sizeof here);
	return any;
}

static void end(void)
{
	fflush(stdout);
	reboot(RB_POWER_OFF);
}

/* Whether something came before so many milliseconds were over. */
static int heard(int any, int ms)
{
	struct pollfd wanted = { .fd = any, .events = POLLIN };

	return poll(&wanted, 1, ms) > 0;
}

/* ---- A counter that is kept on one machine, and added to from two others. ---- */

struct message {
	char what[8];
	unsigned number;
};

static unsigned counter;

static void tell(int any, struct sockaddr_in to, const char *what, unsigned number)
{
	struct message message = { .number = number };

	strcpy(message.what, what);
	sendto(any, &message, sizeof message, 0, (struct sockaddr *)&to, sizeof to);
}

static void keep(int any)
{
	struct sockaddr_in ready[2], from;
	int clients = 0, done = 0;
	struct message message;

	while (done < 2) {
		socklen_t length = sizeof from;

		recvfrom(any, &message, sizeof message, 0, (struct sockaddr *)&from, &length);
		if (strcmp(message.what, "ready") == 0) {
			ready[clients++] = from;
			for (int each = 0; clients == 2 && each < 2; each++)
				tell(any, ready[each], "go", 0);
		} else if (strcmp(message.what, "read") == 0) {
			tell(any, from, "is", counter);
		} else if (strcmp(message.what, "write") == 0) {
			counter = message.number;
			tell(any, from, "written", counter);
		} else {
			done++;
		}
	}
	printf("counter %u after 2 additions\n", counter);
}

static unsigned hear(int any, const char *what)
{
	struct message message;

	do
		recv(any, &message, sizeof message, 0);
	while (strcmp(message.what, what) != 0);
	return message.number;
}

/* Nobody holds a lock between the read and the write: that is the fault. */
static void add_one(int any, struct sockaddr_in keeper)
{
	unsigned number;

	tell(any, keeper, "read", 0);
	number = hear(any, "is");
	tell(any, keeper, "write", number + 1);
	hear(any, "written");
}

static void add(int any)
{
	struct sockaddr_in keeper = at(said("keeper"));

	tell(any, keeper, "ready", 0);
	hear(any, "go");
	usleep(atoi(said("wait")) * 1000);
	add_one(any, keeper);
	tell(any, keeper, "done", 0);
	usleep(100000);
}

/* ---- Three that send to each other, over cables that lose, double and delay. ---- */

enum { COUNT = 12, RESEND_MS = 10, QUIET_MS = 200 };

struct datagram {
	unsigned from, number, is_answer;
	unsigned char bytes[200];
};

struct peer {
	struct sockaddr_in place;
	unsigned acknowledged, got[COUNT];
};

static void send_number(int any, unsigned self, const struct peer *peer, unsigned number)
{
	struct datagram datagram = { .from = self, .number = number };

	for (unsigned at = 0; at < sizeof datagram.bytes; at++)
		datagram.bytes[at] = self * 7 + number * 31 + at;
	sendto(any, &datagram, sizeof datagram, 0, (struct sockaddr *)&peer->place, sizeof peer->place);
}

static unsigned sum_of(const struct datagram *datagram)
{
	unsigned sum = 1;

	for (unsigned at = 0; at < sizeof datagram->bytes; at++)
		sum = sum * 31 + datagram->bytes[at];
	return sum;
}

static void take(int any, unsigned self, struct peer *peers)
{
	struct datagram datagram;
	struct peer *peer;

	if (recv(any, &datagram, sizeof datagram, 0) != sizeof datagram || datagram.number >= COUNT)
		return;
	peer = &peers[datagram.from];
	if (datagram.is_answer) {
		if (datagram.number == peer->acknowledged)
			peer->acknowledged++;
		return;
	}
	peer->got[datagram.number] = sum_of(&datagram);
	datagram.from = self;
	datagram.is_answer = 1;
	sendto(any, &datagram, sizeof datagram, 0, (struct sockaddr *)&peer->place, sizeof peer->place);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One datagram to each at a time, again until it is answered. */
static void converse(int any)
{
	unsigned self = atoi(said("self"));
	struct peer peers[3] = { 0 };
	char places[64], *rest = places;
	long quiet = now_ms();

	strncpy(places, said("peers"), sizeof places - 1);
	for (unsigned each = 0; each < 3; each++)
		if (each != self)
			peers[each].place = at(strsep(&rest, ","));
	for (unsigned sent[3] = { 0 }, is_busy = 1; is_busy || now_ms() - quiet < QUIET_MS;) {
		is_busy = 0;
		for (unsigned each = 0; each < 3; each++) {
			struct peer *peer = &peers[each];

			if (each == self || peer->acknowledged == COUNT)
				continue;
			is_busy = 1;
			if (sent[each] == peer->acknowledged + 1)
				continue;
			send_number(any, self, peer, peer->acknowledged);
			sent[each] = peer->acknowledged + 1;
		}
		if (heard(any, RESEND_MS)) {
			take(any, self, peers);
			quiet = now_ms();
		} else {
			memset(sent, 0, sizeof sent);
		}
	}
	for (unsigned each = 0; each < 3; each++) {
		unsigned sum = 0;

		for (unsigned number = 0; number < COUNT; number++)
			sum = sum * 33 + peers[each].got[number];
		if (each != self)
			printf("from %u: %08x\n", each, sum);
	}
}

int main(void)
{
	int any = begin();

	if (strcmp(said("role"), "keeper") == 0)
		keep(any);
	else if (strcmp(said("role"), "client") == 0)
		add(any);
	else
		converse(any);
	end();
	return 0;
}

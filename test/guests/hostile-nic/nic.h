/* What drivers of network cards that are wrong now and then share. */
#include "driver.h"

enum { BARS = 0xe0000000 };

/* nic.c */
u64 buffer(u32 length);
void descriptor(u32 *at, u32 first, u32 second, u32 third, u32 fourth);
/* For another of the machine's controllers, for all, for many, or for nobody. */
void address_frame(u64 at);
void wait_long(void);

/* What a driver is for: vendor and device; what it does to a card of its machine. */
extern const u32 identity;
void seat(u32 i);
void quiet(u32 i);
void begin(u32 i);
void step(u32 i);

/*
 * The host on the bare board that qemu calls `virt`: one RV32 core, a clock, and serial ports (16550) for wires: one on the
 * board is the UART, four on a PCI card are TCP connections, one on another card brings commands. A serial port can neither
 * ask for a connection nor be told of its end: that goes between the bytes, after DLE (../../virt.ts).
 */
#include <string.h>

#include "../host.h"

/* Addresses and interrupts of `virt`. */
enum {
	CLINT = 0x02000000, TIME_COMPARE = CLINT + 0x4000, TIME = CLINT + 0xBFF8, TICKS_PER_MICROSECOND = 10,
	PLIC = 0x0C000000, PLIC_ENABLE = PLIC + 0x2000, PLIC_CLAIM = PLIC + 0x200004,
	PCI_PORTS = 0x03000000, PCI_CONFIGURATION = 0x30000000, PCI_DEVICES = 32,
	ONE_PORT = 0x00021b36, FOUR_PORTS = 0x00041b36, /* qemu's own cards */
	UART = 0x10000000, UART_INTERRUPT = 10, PCI_INTERRUPT = 32, PCI_INTERRUPTS = 4,
};

/* Of a 16550. */
enum {
	DATA = 0, INTERRUPT_ENABLE = 1, FIFO_CONTROL = 2, LINE_CONTROL = 3, LINE_STATUS = 5,
	REGISTERS = 8,
	RECEIVED = 1, EMPTY = 0x20, FIFO = 16,
};

enum { MODEM, CONTROL, STREAM, STREAMS = 4, WIRES = STREAM + STREAMS };
static volatile uint8_t* ports[WIRES];

enum { DLE = 0x10 };
static struct {
	enum { CLOSED, CONNECTING, CONNECTED, OVER } state;
	bool escaped; /* the last byte was DLE */
} streams[WIRES];

static volatile uint32_t* word(uintptr_t address)
{
	return (volatile uint32_t*)address;
}

/* ---- clock ---- */

static uint64_t ticks(void)
{
	uint32_t high, low;
	do {
		high = *word(TIME + 4);
		low = *word(TIME);
	} while (high != *word(TIME + 4));
	return (uint64_t)high << 32 | low;
}

/* Waiting is not processor time, everything else is. */
static int64_t waited = 0;

int64_t platform_clock(void)
{
	return (int64_t)(ticks() / TICKS_PER_MICROSECOND);
}

int64_t platform_processorTime(void)
{
	return platform_clock() - waited;
}

static void alarm(uint64_t when)
{
	/* Never in the past between the two halves. */
	*word(TIME_COMPARE + 4) = UINT32_MAX;
	*word(TIME_COMPARE) = (uint32_t)when;
	*word(TIME_COMPARE + 4) = (uint32_t)(when >> 32);
}

/** Until an interrupt is due, which is then seen to by whoever asked for it: none is ever taken. */
static void sleep(void)
{
	uint32_t source;
	__asm__ volatile(".option push\n.option arch, +zicsr\n\tcsrw mie, %0\n\twfi\n.option pop" : : "r"(1 << 7 | 1 << 11));
	while ((source = *word(PLIC_CLAIM)) != 0)
		*word(PLIC_CLAIM) = source;
}

/* ---- serial ports ---- */

static void listen(int wire, volatile uint8_t* port, int firstInterrupt, int interrupts)
{
	int i;
	ports[wire] = port;
	port[LINE_CONTROL] = 3;
	port[FIFO_CONTROL] = 7;
	for (i = firstInterrupt; i < firstInterrupt + interrupts; i++) {
		*word(PLIC + 4 * i) = 1;
		*word(PLIC_ENABLE + i / 32 * 4) |= 1u << i % 32;
	}
}

/** The serial ports of a PCI card, put at I/O port `at`. @returns NULL when it is not there */
static volatile uint8_t* card(uint32_t id, uint32_t at)
{
	int device;
	for (device = 0; device < PCI_DEVICES; device++) {
		uintptr_t configuration = PCI_CONFIGURATION + ((uintptr_t)device << 15);
		if (*word(configuration) != id)
			continue;
		*word(configuration + 0x10) = at;
		*word(configuration + 4) |= 1; /* answers on I/O ports */
		return (volatile uint8_t*)(PCI_PORTS + at);
	}
	return NULL;
}

/** `qemu:uart`: the port on the board. `qemu:control`: that of commands. */
int wire_open(const char* wire)
{
	volatile uint8_t* port;
	if (!strcmp(wire, "qemu:uart")) {
		listen(MODEM, (volatile uint8_t*)UART, UART_INTERRUPT, 1);
		return MODEM;
	}
	port = strcmp(wire, "qemu:control") ? NULL : card(ONE_PORT, 0x2000);
	if (!port) {
		fprintf(stderr, "xs-host: cannot open %s on this board\n", wire);
		return -1;
	}
	listen(CONTROL, port, PCI_INTERRUPT, PCI_INTERRUPTS);
	return CONTROL;
}

static void send(int wire, const char* text)
{
	for (; *text; text++) {
		while (!(ports[wire][LINE_STATUS] & EMPTY))
			;
		ports[wire][DATA] = (uint8_t)*text;
	}
}

/** What came after DLE and was no byte. @returns whether it changes the connection; before the answer only that does */
static bool obey(int wire, uint8_t command)
{
	if (streams[wire].state == CONNECTING && command != 'e')
		streams[wire].state = command == 'c' ? CONNECTED : OVER;
	else if (streams[wire].state == CONNECTED)
		streams[wire].state = OVER;
	else
		return false;
	return true;
}

/** The next byte into `byte`. @returns false when none is there, or none before the connection has changed */
static bool receive(int wire, uint8_t* byte)
{
	while (ports[wire][LINE_STATUS] & RECEIVED) {
		*byte = ports[wire][DATA];
		if (wire < STREAM)
			return true;
		if (!streams[wire].escaped && *byte == DLE) {
			streams[wire].escaped = true;
			continue;
		}
		if (streams[wire].escaped) {
			streams[wire].escaped = false;
			if (*byte != DLE) {
				if (obey(wire, *byte))
					return false;
				continue;
			}
		}
		if (streams[wire].state == CONNECTED)
			return true;
	}
	return false;
}

int wire_connect(const char* host, int port, bool named)
{
	static int connections = 0;
	volatile uint8_t* first = card(FOUR_PORTS, 0x1000);
	int wire = STREAM + connections++ % STREAMS;
	char where[160];
	if (!first || streams[wire].state != CLOSED || (!named && strspn(host, "0123456789.") != strlen(host)))
		return -1;
	if (!ports[wire])
		listen(wire, first + (wire - STREAM) * REGISTERS, PCI_INTERRUPT, PCI_INTERRUPTS);
	streams[wire].state = CONNECTING;
	snprintf(where, sizeof(where), "%cC%s:%d\n", DLE, host, port);
	send(wire, where);
	return wire;
}

bool wire_connected(int wire)
{
	return streams[wire].state == CONNECTED;
}

int wire_read(int wire, void* into, int size)
{
	uint8_t* bytes = into;
	int count = 0;
	while (count < size && receive(wire, &bytes[count]))
		count++;
	return count || streams[wire].state != OVER ? count : -1;
}

int wire_write(int wire, const void* from, int size)
{
	volatile uint8_t* port = ports[wire];
	const uint8_t* bytes = from;
	int count = 0;
	if (streams[wire].state == OVER)
		return -1;
	while (count < size && (port[LINE_STATUS] & EMPTY)) {
		int room = FIFO;
		for (; count < size && room >= 2; room--) {
			if (wire >= STREAM && bytes[count] == DLE) {
				port[DATA] = DLE;
				room--;
			}
			port[DATA] = bytes[count++];
		}
	}
	return count;
}

void wire_close(int wire)
{
	static const char end[] = { DLE, 'e', 0 };
	if (wire < STREAM)
		return;
	if (streams[wire].state != OVER)
		send(wire, end);
	streams[wire].state = CLOSED;
}

static int look(Waiting* waiting, int count)
{
	int happened = 0, i;
	for (i = 0; i < count; i++) {
		int wire = waiting[i].wire;
		uint8_t status, byte;
		if (streams[wire].state == CONNECTING)
			(void)receive(wire, &byte);
		status = ports[wire][LINE_STATUS];
		waiting[i].happened = 0;
		if (streams[wire].state == OVER)
			waiting[i].happened = waiting[i].wants;
		else if (streams[wire].state != CONNECTING)
			waiting[i].happened = waiting[i].wants
				& ((status & RECEIVED ? WIRE_READABLE : 0) | (status & EMPTY ? WIRE_WRITABLE : 0));
		happened += waiting[i].happened != 0;
	}
	return happened;
}

/*
 * The interrupt controller notices that a line goes up, not that it is up, and ports share lines: one with bytes that nobody
 * wants must not keep it up. So interrupts are only for those whose bytes look() takes, or is asked for.
 */
static void expect(const Waiting* waiting, int count)
{
	int wire, i;
	for (wire = 0; wire < WIRES; wire++)
		if (ports[wire])
			ports[wire][INTERRUPT_ENABLE] = 0;
	for (i = 0; i < count; i++)
		if ((waiting[i].wants & WIRE_READABLE) || streams[waiting[i].wire].state == CONNECTING)
			ports[waiting[i].wire][INTERRUPT_ENABLE] = RECEIVED;
}

/* What was sent is gone within microseconds: the interrupt that tells is not worth the trouble. */
enum { TRANSMISSION = 100 };

int platform_wait(Waiting* waiting, int count, int64_t microseconds)
{
	int64_t start = platform_clock(), until = microseconds < 0 ? INT64_MAX : start + microseconds;
	bool sending = false;
	int happened, i;
	for (i = 0; i < count; i++)
		sending |= (waiting[i].wants & WIRE_WRITABLE) != 0;
	expect(waiting, count);
	while ((happened = look(waiting, count)) == 0) {
		int64_t now = platform_clock(), next = sending ? now + TRANSMISSION : until;
		if (now >= until)
			break;
		if (next > until)
			next = until;
		alarm(next == INT64_MAX ? UINT64_MAX : (uint64_t)next * TICKS_PER_MICROSECOND);
		sleep();
	}
	waited += platform_clock() - start;
	return happened;
}

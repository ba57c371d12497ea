/* `embedded:io/socket/udp` with as many datagrams waiting as lwIP keeps for Moddable on the ESP32-C3. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../classes.h"

enum { DATAGRAM = 1472, DATAGRAMS = 6 };

typedef struct {
	struct sockaddr_in from;
	int size;
	uint8_t bytes[DATAGRAM];
} Datagram;

typedef struct {
	Source source;
	Callbacks callbacks;
	bool readable;
	Datagram queue[DATAGRAMS];
	int first, count;
} Udp;

static short udp_wants(Source* source)
{
	return WIRE_READABLE;
}

static void udp_ready(Source* source, short events)
{
	Udp* udp = (Udp*)source;
	uint8_t bytes[65536];
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t size = recvfrom(source->wire, bytes, sizeof(bytes), 0, (struct sockaddr*)&from, &length);
	(void)events;
	/* No room, or larger than a frame: lost, as everything about UDP may be. */
	if (size < 0 || size > DATAGRAM || udp->count == DATAGRAMS)
		return;
	Datagram* datagram = &udp->queue[(udp->first + udp->count++) % DATAGRAMS];
	datagram->from = from;
	datagram->size = (int)size;
	memcpy(datagram->bytes, bytes, size);
	udp->readable = true;
}

static bool udp_deliver(Source* source, void* machine)
{
	Udp* udp = (Udp*)source;
	if (!udp->readable)
		return false;
	udp->readable = false;
	return udp->count && callbacks_call(machine, &udp->callbacks, &udp->callbacks.onReadable, udp->count);
}

static void udp_release(Source* source)
{
	wire_close(source->wire);
	free(source);
}

static void udp_mark(xsMachine* the, void* data, xsMarkRoot mark)
{
	if (data)
		callbacks_mark(the, &((Udp*)data)->callbacks, mark);
}

static const xsHostHooks udpHooks = { source_destroy, udp_mark, NULL };

static void UDP_constructor(xsMachine* the)
{
	struct sockaddr_in where = { .sin_family = AF_INET };
	int fd;
	Udp* udp;
	native_construct(the);
	where.sin_port = htons((uint16_t)option_integer(the, ID_port, 0));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		xsRangeError("no socket");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (bind(fd, (struct sockaddr*)&where, sizeof(where))) {
		close(fd);
		xsUnknownError("bind failed");
	}
	udp = calloc(1, sizeof(Udp));
	callbacks_open(the, &udp->callbacks, udp, &udpHooks);
	udp->source.wire = fd;
	udp->source.wants = udp_wants;
	udp->source.ready = udp_ready;
	udp->source.deliver = udp_deliver;
	udp->source.release = udp_release;
	loop_add(&udp->source);
}

static Udp* udp_this(xsMachine* the)
{
	return xsmcGetHostDataValidate(xsThis, (void*)&udpHooks);
}

/** read(): the next datagram as an ArrayBuffer with `address` and `port`; read(buffer): its size. */
static void UDP_read(xsMachine* the)
{
	Udp* udp = udp_this(the);
	Datagram* datagram;
	uint8_t* into;
	int count;
	if (!udp->count)
		return;
	datagram = &udp->queue[udp->first];
	count = read_request(the, datagram->size, &into);
	memcpy(into, datagram->bytes, count);
	if (xsmcTypeOf(xsResult) == xsReferenceType) {
		char address[INET_ADDRSTRLEN];
		xsmcVars(1);
		inet_ntop(AF_INET, &datagram->from.sin_addr, address, sizeof(address));
		xsmcSetString(xsVar(0), address);
		xsmcSet(xsResult, host_ids[ID_address], xsVar(0));
		xsmcSetInteger(xsVar(0), ntohs(datagram->from.sin_port));
		xsmcSet(xsResult, host_ids[ID_port], xsVar(0));
	}
	udp->first = (udp->first + 1) % DATAGRAMS;
	udp->count--;
	/* Moddable counts datagrams down in one callback; whoever reads one per callback is called again. */
	udp->readable = udp->count > 0;
}

/** write(buffer, address, port) */
static void UDP_write(xsMachine* the)
{
	Udp* udp = udp_this(the);
	struct sockaddr_in where = { .sin_family = AF_INET };
	char address[INET_ADDRSTRLEN];
	void* buffer;
	xsUnsignedValue size;
	xsmcToStringBuffer(xsArg(1), address, sizeof(address));
	if (inet_pton(AF_INET, address, &where.sin_addr) != 1)
		xsUnknownError("invalid address");
	where.sin_port = htons((uint16_t)xsmcToInteger(xsArg(2)));
	xsmcGetBufferReadable(xsArg(0), &buffer, &size);
	if (sendto(udp->source.wire, buffer, size, 0, (struct sockaddr*)&where, sizeof(where)) < 0)
		xsUnknownError("send failed");
}

static void UDP_close(xsMachine* the)
{
	Udp* udp = xsmcGetHostData(xsThis);
	if (!udp)
		return;
	udp = udp_this(the);
	callbacks_close(the, &udp->callbacks);
	udp->source.dead = true;
}

void udp_install(void* machine)
{
	static const Method methods[] = {
		{ "read", UDP_read, 1 }, { "write", UDP_write, 3 }, { "close", UDP_close, 0 }, { NULL },
	};
	native_class(machine, "UDP", UDP_constructor, source_destroy, methods);
}

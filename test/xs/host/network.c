/*
 * `embedded:io/socket/tcp` and `embedded:io/socket/udp` with the buffers of lwIP as Moddable configures it for the
 * ESP32-C3: no more can wait to be read or be written at a time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "classes.h"

enum { WINDOW = 5744, SEND_BUFFER = 5744, DATAGRAM = 1472, DATAGRAMS = 6 };

static int nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

/** The option `address`, or `host` resolved. IPv4, as the device. */
static struct sockaddr_in endpoint(xsMachine* the)
{
	struct sockaddr_in where = { .sin_family = AF_INET };
	char name[128];
	xsSlot value;
	int port = option_integer(the, ID_port, -1);
	bool byAddress = xsmcHas(xsArg(0), host_ids[ID_address]);
	if (port < 0 || port > 65535)
		xsRangeError("invalid port");
	where.sin_port = htons((uint16_t)port);
	xsmcGet(value, xsArg(0), host_ids[byAddress ? ID_address : ID_host]);
	xsmcToStringBuffer(value, name, sizeof(name));
	if (inet_pton(AF_INET, name, &where.sin_addr) != 1) {
		struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
		if (byAddress || getaddrinfo(name, NULL, &hints, &found))
			xsUnknownError("invalid address");
		where.sin_addr = ((struct sockaddr_in*)found->ai_addr)->sin_addr;
		freeaddrinfo(found);
	}
	return where;
}

/* ---- TCP ---- */

typedef struct {
	Source source;
	Callbacks callbacks;
	bool connected, ended, failed; /* ended: the peer closed; failed: told the script */
	bool readable, writable;       /* to be told */
	uint8_t in[WINDOW], out[SEND_BUFFER];
	int inCount, outCount;
} Tcp;

static short tcp_wants(Source* source)
{
	Tcp* tcp = (Tcp*)source;
	if (tcp->ended)
		return 0;
	if (!tcp->connected)
		return POLLOUT;
	return (tcp->inCount < WINDOW ? POLLIN : 0) | (tcp->outCount ? POLLOUT : 0);
}

static void tcp_flush(Tcp* tcp)
{
	ssize_t count;
	if (!tcp->outCount)
		return;
	count = send(tcp->source.fd, tcp->out, tcp->outCount, MSG_NOSIGNAL);
	if (count > 0) {
		tcp->outCount -= (int)count;
		memmove(tcp->out, tcp->out + count, tcp->outCount);
		tcp->writable = true;
	}
	else if (count < 0 && errno != EAGAIN && errno != EINTR)
		tcp->ended = true;
}

static void tcp_ready(Source* source, short events)
{
	Tcp* tcp = (Tcp*)source;
	if (!tcp->connected) {
		int error = 0;
		socklen_t size = sizeof(error);
		getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		tcp->connected = tcp->writable = !error;
		tcp->ended = error != 0;
		return;
	}
	if (events & POLLOUT)
		tcp_flush(tcp);
	if (events & (POLLIN | POLLHUP | POLLERR)) {
		ssize_t count = recv(source->fd, tcp->in + tcp->inCount, WINDOW - tcp->inCount, 0);
		if (count > 0) {
			tcp->inCount += (int)count;
			tcp->readable = true;
		}
		else if (count == 0 || (errno != EAGAIN && errno != EINTR))
			tcp->ended = true;
	}
}

static bool tcp_deliver(Source* source, void* machine)
{
	Tcp* tcp = (Tcp*)source;
	Callbacks* callbacks = &tcp->callbacks;
	if (tcp->readable) {
		tcp->readable = false;
		if (tcp->inCount && callbacks_call(machine, callbacks, &callbacks->onReadable, tcp->inCount))
			return true;
	}
	/* The end comes after the last byte was read. */
	if (tcp->ended && !tcp->failed && !tcp->inCount) {
		tcp->failed = true;
		return callbacks_call(machine, callbacks, &callbacks->onError, -1);
	}
	if (tcp->writable && !tcp->ended) {
		tcp->writable = false;
		if (tcp->outCount < SEND_BUFFER)
			return callbacks_call(machine, callbacks, &callbacks->onWritable, SEND_BUFFER - tcp->outCount);
	}
	return false;
}

static void tcp_release(Source* source)
{
	Tcp* tcp = (Tcp*)source;
	if (tcp->connected && !tcp->ended)
		tcp_flush(tcp);
	close(source->fd);
	free(source);
}

static void tcp_mark(xsMachine* the, void* data, xsMarkRoot mark)
{
	if (data)
		callbacks_mark(the, &((Tcp*)data)->callbacks, mark);
}

static void source_destroy(void* data)
{
	if (data)
		((Source*)data)->dead = true;
}

static const xsHostHooks tcpHooks = { source_destroy, tcp_mark, NULL };

static void TCP_constructor(xsMachine* the)
{
	struct sockaddr_in where;
	int fd, on = 1;
	Tcp* tcp;
	native_construct(the);
	where = endpoint(the);
	fd = nonblocking(socket(AF_INET, SOCK_STREAM, 0));
	if (fd < 0)
		xsRangeError("no socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	tcp = calloc(1, sizeof(Tcp));
	callbacks_open(the, &tcp->callbacks, tcp, &tcpHooks);
	tcp->source.fd = fd;
	tcp->source.wants = tcp_wants;
	tcp->source.ready = tcp_ready;
	tcp->source.deliver = tcp_deliver;
	tcp->source.release = tcp_release;
	if (connect(fd, (struct sockaddr*)&where, sizeof(where)) && errno != EINPROGRESS)
		tcp->ended = true;
	loop_add(&tcp->source);
}

static Tcp* tcp_this(xsMachine* the)
{
	return xsmcGetHostDataValidate(xsThis, (void*)&tcpHooks);
}

/** As Serial.read. */
static void TCP_read(xsMachine* the)
{
	Tcp* tcp = tcp_this(the);
	uint8_t* into;
	int count;
	if (!tcp->inCount)
		return;
	count = read_request(the, tcp->inCount, &into);
	memcpy(into, tcp->in, count);
	tcp->inCount -= count;
	memmove(tcp->in, tcp->in + count, tcp->inCount);
}

/** @returns how many bytes may still be written */
static void TCP_write(xsMachine* the)
{
	Tcp* tcp = tcp_this(the);
	void* buffer;
	xsUnsignedValue size;
	if (!tcp->connected)
		xsUnknownError("not ready");
	if (tcp->ended)
		return;
	xsmcGetBufferReadable(xsArg(0), &buffer, &size);
	if (size > (xsUnsignedValue)(SEND_BUFFER - tcp->outCount))
		xsUnknownError("would block");
	memcpy(tcp->out + tcp->outCount, buffer, size);
	tcp->outCount += (int)size;
	xsmcSetInteger(xsResult, SEND_BUFFER - tcp->outCount);
}

static void TCP_close(xsMachine* the)
{
	Tcp* tcp = xsmcGetHostData(xsThis);
	if (!tcp)
		return;
	tcp = tcp_this(the);
	callbacks_close(the, &tcp->callbacks);
	tcp->source.dead = true;
}

/* ---- UDP ---- */

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
	return POLLIN;
}

static void udp_ready(Source* source, short events)
{
	Udp* udp = (Udp*)source;
	uint8_t bytes[65536];
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t size = recvfrom(source->fd, bytes, sizeof(bytes), 0, (struct sockaddr*)&from, &length);
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
	close(source->fd);
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
	fd = nonblocking(socket(AF_INET, SOCK_DGRAM, 0));
	if (fd < 0)
		xsRangeError("no socket");
	if (bind(fd, (struct sockaddr*)&where, sizeof(where))) {
		close(fd);
		xsUnknownError("bind failed");
	}
	udp = calloc(1, sizeof(Udp));
	callbacks_open(the, &udp->callbacks, udp, &udpHooks);
	udp->source.fd = fd;
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
	if (sendto(udp->source.fd, buffer, size, 0, (struct sockaddr*)&where, sizeof(where)) < 0)
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

void network_install(void* machine)
{
	static const Method tcp[] = {
		{ "read", TCP_read, 1 }, { "write", TCP_write, 1 }, { "close", TCP_close, 0 }, { NULL },
	};
	static const Method udp[] = {
		{ "read", UDP_read, 1 }, { "write", UDP_write, 3 }, { "close", UDP_close, 0 }, { NULL },
	};
	native_class(machine, "TCP", TCP_constructor, source_destroy, tcp);
	native_class(machine, "UDP", UDP_constructor, source_destroy, udp);
}

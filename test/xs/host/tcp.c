/*
 * `embedded:io/socket/tcp` with the buffers of lwIP as Moddable configures it for the ESP32-C3: no more can wait to be
 * read or be written at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "classes.h"

enum { WINDOW = 5744, SEND_BUFFER = 5744 };

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
		return WIRE_WRITABLE;
	return (tcp->inCount < WINDOW ? WIRE_READABLE : 0) | (tcp->outCount ? WIRE_WRITABLE : 0);
}

static void tcp_flush(Tcp* tcp)
{
	int count;
	if (!tcp->outCount)
		return;
	count = wire_write(tcp->source.wire, tcp->out, tcp->outCount);
	if (count > 0) {
		tcp->outCount -= count;
		memmove(tcp->out, tcp->out + count, tcp->outCount);
		tcp->writable = true;
	}
	else if (count < 0)
		tcp->ended = true;
}

static void tcp_ready(Source* source, short events)
{
	Tcp* tcp = (Tcp*)source;
	if (!tcp->connected) {
		tcp->connected = tcp->writable = wire_connected(source->wire);
		tcp->ended = !tcp->connected;
		return;
	}
	if (events & WIRE_WRITABLE)
		tcp_flush(tcp);
	if (events & WIRE_READABLE) {
		int count = wire_read(source->wire, tcp->in + tcp->inCount, WINDOW - tcp->inCount);
		if (count > 0) {
			tcp->inCount += count;
			tcp->readable = true;
		}
		else if (count < 0)
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
	wire_close(source->wire);
	free(source);
}

static void tcp_mark(xsMachine* the, void* data, xsMarkRoot mark)
{
	if (data)
		callbacks_mark(the, &((Tcp*)data)->callbacks, mark);
}

static const xsHostHooks tcpHooks = { source_destroy, tcp_mark, NULL };

static void TCP_constructor(xsMachine* the)
{
	char host[128];
	xsSlot value;
	bool byAddress;
	int port, wire;
	Tcp* tcp;
	native_construct(the);
	port = option_integer(the, ID_port, -1);
	if (port < 0 || port > 65535)
		xsRangeError("invalid port");
	byAddress = xsmcHas(xsArg(0), host_ids[ID_address]);
	xsmcGet(value, xsArg(0), host_ids[byAddress ? ID_address : ID_host]);
	xsmcToStringBuffer(value, host, sizeof(host));
	wire = wire_connect(host, port, !byAddress);
	if (wire < 0)
		xsUnknownError("invalid address");
	tcp = calloc(1, sizeof(Tcp));
	callbacks_open(the, &tcp->callbacks, tcp, &tcpHooks);
	tcp->source.wire = wire;
	tcp->source.wants = tcp_wants;
	tcp->source.ready = tcp_ready;
	tcp->source.deliver = tcp_deliver;
	tcp->source.release = tcp_release;
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

void tcp_install(void* machine)
{
	static const Method methods[] = {
		{ "read", TCP_read, 1 }, { "write", TCP_write, 1 }, { "close", TCP_close, 0 }, { NULL },
	};
	native_class(machine, "TCP", TCP_constructor, source_destroy, methods);
}

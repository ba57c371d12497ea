/*
 * `embedded:io/serial` as an ESP32 has it: two hardware FIFOs and nothing else. Bytes come and go at the pace of the
 * baud rate; what arrives while the receive FIFO is full is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "classes.h"

enum {
	FIFO_MAX = 4096,
	TX_FIFO = 128,
	TX_EMPTY = 10,      /* onWritable comes when the transmit FIFO has run down to this */
	RX_FULL_MARGIN = 32, /* onReadable comes when no more than this is left of the receive FIFO … */
	RX_TIMEOUT = 4,     /* … or when the line was silent for so many characters */
	LINE = 512,         /* bytes that are "in the cable": read from the wire, not yet clocked in */
	BITS = 10,          /* of a character: start, eight, stop */
};

typedef struct {
	Source source;
	Callbacks callbacks;
	int64_t character; /* nanoseconds */
	/* reception */
	uint8_t line[LINE];
	int lineStart, lineCount;
	int64_t rxTime; /* nanoseconds: the line is clocked in up to here */
	int64_t rxLast; /* when the last byte came in */
	uint8_t rx[FIFO_MAX];
	int rxStart, rxCount;
	bool rxNews; /* bytes came in that the script was not told of */
	/* transmission */
	uint8_t tx[TX_FIFO];
	int txStart, txCount;
	int64_t txTime;
	bool writable;
	uint8_t out[TX_FIFO * 2]; /* clocked out, not yet taken by the wire */
	int outCount;
} Serial;

static int64_t totalSent, totalReceived, totalLost;

void serial_totals(int64_t* sent, int64_t* received, int64_t* lost)
{
	*sent = totalSent;
	*received = totalReceived;
	*lost = totalLost;
}

/* ---- the UART ---- */

static short serial_wants(Source* source)
{
	Serial* serial = (Serial*)source;
	return (serial->lineCount < LINE / 2 ? WIRE_READABLE : 0) | (serial->outCount ? WIRE_WRITABLE : 0);
}

static void flush(Serial* serial)
{
	int written;
	if (!serial->outCount || serial->source.wire < 0)
		return;
	written = wire_write(serial->source.wire, serial->out, serial->outCount);
	if (written > 0) {
		serial->outCount -= written;
		memmove(serial->out, serial->out + written, serial->outCount);
	}
}

static void serial_ready(Source* source, short events)
{
	Serial* serial = (Serial*)source;
	uint8_t bytes[LINE];
	int count, i;
	(void)events;
	flush(serial);
	count = wire_read(source->wire, bytes, LINE - serial->lineCount);
	if (count > 0) {
		int64_t now = clock_now() * 1000;
		if (!serial->lineCount && serial->rxTime < now)
			serial->rxTime = now;
		for (i = 0; i < count; i++)
			serial->line[(serial->lineStart + serial->lineCount++) % LINE] = bytes[i];
	}
	else if (count < 0) {
		/* A UART cannot tell that its cable was pulled: from now on it is silent. */
		source->wire = -1;
	}
}

static int fifoSize(void)
{
	return board.rxFifo > FIFO_MAX ? FIFO_MAX : board.rxFifo;
}

static int fullThreshold(void)
{
	int threshold = fifoSize() - RX_FULL_MARGIN;
	return threshold > 1 ? threshold : 1;
}

static bool rxIdle(Serial* serial)
{
	return !serial->lineCount && clock_now() * 1000 >= serial->rxLast + RX_TIMEOUT * serial->character;
}

/*
 * Clocks the line in and the FIFO out. Where this process was kept waiting by others, more than a FIFO may be due at
 * once; as nobody was deaf meanwhile, the script gets its turn first (returning early). Only what comes in while the
 * script runs, or what it was told of and left lying, can overflow.
 */
static void serial_advance(Source* source, int64_t now, bool deaf)
{
	Serial* serial = (Serial*)source;
	int64_t until = now * 1000;
	while (serial->lineCount && serial->rxTime + serial->character <= until) {
		uint8_t byte;
		if (!deaf && serial->rxNews && serial->rxCount >= fullThreshold())
			break;
		byte = serial->line[serial->lineStart];
		serial->lineStart = (serial->lineStart + 1) % LINE;
		serial->lineCount--;
		serial->rxTime += serial->character;
		serial->rxLast = serial->rxTime;
		totalReceived++;
		if (serial->rxCount == fifoSize())
			totalLost++;
		else {
			serial->rx[(serial->rxStart + serial->rxCount++) % FIFO_MAX] = byte;
			serial->rxNews = true;
		}
	}
	while (serial->txCount && serial->txTime + serial->character <= until
		&& serial->outCount < (int)sizeof(serial->out)) {
		serial->out[serial->outCount++] = serial->tx[serial->txStart];
		serial->txStart = (serial->txStart + 1) % TX_FIFO;
		serial->txCount--;
		serial->txTime += serial->character;
		totalSent++;
	}
	flush(serial);
}

static int64_t serial_due(Source* source)
{
	Serial* serial = (Serial*)source;
	int64_t due = INT64_MAX, at;
	if (serial->lineCount) {
		/* Not before a callback can follow from it. */
		int missing = fullThreshold() - serial->rxCount;
		if (missing > serial->lineCount)
			missing = serial->lineCount;
		due = serial->rxTime + (missing > 1 ? missing : 1) * serial->character;
	}
	else if (serial->rxNews)
		due = serial->rxLast + RX_TIMEOUT * serial->character;
	if (serial->txCount) {
		int above = serial->txCount > TX_EMPTY ? serial->txCount - TX_EMPTY : serial->txCount;
		at = serial->txTime + above * serial->character;
		if (at < due)
			due = at;
	}
	return due == INT64_MAX ? due : (due + 999) / 1000;
}

static bool serial_deliver(Source* source, void* machine)
{
	Serial* serial = (Serial*)source;
	if (serial->rxNews && (serial->rxCount >= fullThreshold() || rxIdle(serial))) {
		serial->rxNews = false;
		if (serial->rxCount
			&& callbacks_call(machine, &serial->callbacks, &serial->callbacks.onReadable, serial->rxCount))
			return true;
	}
	if (serial->writable && serial->txCount <= TX_EMPTY) {
		serial->writable = false;
		return callbacks_call(machine, &serial->callbacks, &serial->callbacks.onWritable, TX_FIFO - serial->txCount);
	}
	return false;
}

static void serial_release(Source* source)
{
	if (source->wire >= 0)
		wire_close(source->wire);
	free(source);
}

/* ---- the class ---- */

static void serial_mark(xsMachine* the, void* data, xsMarkRoot mark)
{
	if (data)
		callbacks_mark(the, &((Serial*)data)->callbacks, mark);
}

static const xsHostHooks hooks = { source_destroy, serial_mark, NULL };

static void Serial_constructor(xsMachine* the)
{
	Serial* serial;
	int port = option_integer(the, ID_port, 1);
	int baud = option_integer(the, ID_baud, 0);
	int wire;
	native_construct(the);
	if (baud <= 0 || baud > 20000000)
		xsRangeError("invalid baud");
	if (port < 0 || port > 3 || !board.ports[port])
		xsRangeError("invalid port");
	wire = wire_open(board.ports[port]);
	if (wire < 0)
		xsUnknownError("uart failed");
	serial = calloc(1, sizeof(Serial));
	callbacks_open(the, &serial->callbacks, serial, &hooks);
	serial->source.wire = wire;
	serial->source.wants = serial_wants;
	serial->source.ready = serial_ready;
	serial->source.advance = serial_advance;
	serial->source.due = serial_due;
	serial->source.deliver = serial_deliver;
	serial->source.release = serial_release;
	serial->character = (int64_t)BITS * 1000000000 / baud;
	serial->rxTime = serial->txTime = clock_now() * 1000;
	serial->writable = true;
	loop_add(&serial->source);
}

static Serial* this(xsMachine* the)
{
	return xsmcGetHostDataValidate(xsThis, (void*)&hooks);
}

/** read(buffer): how many bytes were copied; read(count), read(): an ArrayBuffer. Undefined when none wait. */
static void Serial_read(xsMachine* the)
{
	Serial* serial = this(the);
	uint8_t* into;
	int count, i;
	if (!serial->rxCount)
		return;
	count = read_request(the, serial->rxCount, &into);
	for (i = 0; i < count; i++) {
		into[i] = serial->rx[serial->rxStart];
		serial->rxStart = (serial->rxStart + 1) % FIFO_MAX;
	}
	serial->rxCount -= count;
}

static void Serial_write(xsMachine* the)
{
	Serial* serial = this(the);
	void* buffer;
	xsUnsignedValue size, i;
	xsmcGetBufferReadable(xsArg(0), &buffer, &size);
	if (size > (xsUnsignedValue)(TX_FIFO - serial->txCount))
		xsUnknownError("output full");
	if (!serial->txCount && size) {
		int64_t now = clock_now() * 1000;
		if (serial->txTime < now)
			serial->txTime = now;
	}
	for (i = 0; i < size; i++)
		serial->tx[(serial->txStart + serial->txCount++) % TX_FIFO] = ((uint8_t*)buffer)[i];
	serial->writable = true;
}

static void Serial_purge(xsMachine* the)
{
	Serial* serial = this(the);
	serial->rxCount = serial->txCount = 0;
}

static void Serial_close(xsMachine* the)
{
	Serial* serial = xsmcGetHostData(xsThis);
	if (!serial)
		return;
	serial = this(the);
	callbacks_close(the, &serial->callbacks);
	serial->source.dead = true;
}

void serial_install(void* machine)
{
	static const Method methods[] = {
		{ "read", Serial_read, 1 }, { "write", Serial_write, 1 }, { "purge", Serial_purge, 0 },
		{ "close", Serial_close, 0 }, { NULL },
	};
	native_class(machine, "Serial", Serial_constructor, source_destroy, methods);
}

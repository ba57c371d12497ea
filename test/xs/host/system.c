/* The module `host`: what a test may ask beyond what a device has. And the results, as JSON lines. */
#include <stdlib.h>
#include <string.h>

#include "classes.h"

Board board = { .resultsFd = -1, .rxFifo = 128, .seed = 1 };
static int exitCode = 0;
static Figures baseline;

int system_exitCode(void)
{
	return exitCode;
}

void system_baseline(void* machine)
{
	machine_collect(machine);
	machine_resetPeaks(machine);
	baseline = machine_figures(machine);
}

static void writeString(FILE* file, const char* text)
{
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', file);
		if ((unsigned char)*text >= ' ')
			fputc(*text, file);
	}
	fputc('"', file);
}

static FILE* results(void)
{
	static FILE* file = NULL;
	if (!file)
		file = platform_results(board.resultsFd);
	return file;
}

/** One JSON line. `machine` NULL: nothing has booted. Counts are above the baseline: the clone before its first script. */
static void writeFigures(void* machine, const char* label, const char* event, int code)
{
	FILE* file = results();
	FlashFigures flash = machine_flash();
	int64_t sent, received, lost;
	const char* module;
	int index, size;
	if (!file)
		return;
	serial_totals(&sent, &received, &lost);
	fprintf(file, "{\"event\":\"%s\",\"label\":", event);
	writeString(file, label);
	if (code >= 0)
		fprintf(file, ",\"exit\":%d", code);
	fprintf(file, ",\"version\":\"%s\",\"slotBytes\":%d,\"ticks\":%lld,\"engine\":%lld", machine_version(),
		machine_slotBytes(), (long long)(clock_now() / 1000), (long long)loop_engineTime());
	if (machine) {
		Figures now = machine_figures(machine);
		int slots = now.slots - baseline.slots, chunks = now.chunks - baseline.chunks;
		int slotsPeak = now.slotsPeak - baseline.slots, chunksPeak = now.chunksPeak - baseline.chunks;
		fprintf(file,
			",\"slots\":%d,\"slotsPeak\":%d,\"chunks\":%d,\"chunksPeak\":%d,\"bytes\":%d,\"bytesPeak\":%d"
			",\"stackPeak\":%d,\"slotsReserved\":%d,\"chunksReserved\":%d,\"collections\":%d,\"keys\":%d"
			",\"baseline\":{\"slots\":%d,\"chunks\":%d}",
			slots, slotsPeak, chunks, chunksPeak, slots * machine_slotBytes() + chunks,
			slotsPeak * machine_slotBytes() + chunksPeak, now.stackPeak, now.slotsReserved,
			now.chunksReserved, now.collections, now.keys, baseline.slots, baseline.chunks);
	}
	fprintf(file,
		",\"serial\":{\"sent\":%lld,\"received\":%lld,\"lost\":%lld}"
		",\"flash\":{\"bytecode\":%d,\"mainBytecode\":%d,\"slots\":%d,\"chunks\":%d,\"keys\":%d,\"aliases\":%d"
		",\"intrinsicSlots\":%d,\"modules\":{",
		(long long)sent, (long long)received, (long long)lost, flash.bytecode, flash.mainBytecode, flash.slots,
		flash.chunks, flash.keys, flash.aliases, flash.intrinsicSlots);
	for (index = host_moduleCount; (module = machine_moduleBytecode(index, &size)); index++) {
		if (index > host_moduleCount)
			fputc(',', file);
		writeString(file, module);
		fprintf(file, ":%d", size);
	}
	fprintf(file, "}}}\n");
	fflush(file);
}

void system_mark(void* machine, const char* label)
{
	machine_collect(machine);
	writeFigures(machine, label, "mark", -1);
	machine_resetPeaks(machine);
}

void system_report(void* machine, const char* label, int code)
{
	writeFigures(machine, label, "exit", code);
}

/** log(text): one line on standard output. */
static void Host_log(xsMachine* the)
{
	int i;
	for (i = 0; i < xsmcArgc; i++)
		printf(i ? " %s" : "%s", xsmcToString(xsArg(i)));
	putchar('\n');
	fflush(stdout);
}

/** exit(code = 0): ends the host after this callback. */
static void Host_exit(xsMachine* the)
{
	native_onDevice(the);
	exitCode = xsmcArgc > 0 ? xsmcToInteger(xsArg(0)) : 0;
	loop_stop();
}

static void Host_collect(xsMachine* the)
{
	machine_collect(the);
}

static void setInteger(xsMachine* the, int id, int value)
{
	xsSlot slot;
	xsmcSetInteger(slot, value);
	xsmcSet(xsResult, host_ids[id], slot);
}

/** memory(): figures above the baseline; exact after collect(). Costs the object it returns. */
static void Host_memory(xsMachine* the)
{
	Figures now = machine_figures(the);
	native_onDevice(the);
	xsResult = xsmcNewObject();
	setInteger(the, ID_slotBytes, machine_slotBytes());
	setInteger(the, ID_slots, now.slots - baseline.slots);
	setInteger(the, ID_slotsPeak, now.slotsPeak - baseline.slots);
	setInteger(the, ID_chunks, now.chunks - baseline.chunks);
	setInteger(the, ID_chunksPeak, now.chunksPeak - baseline.chunks);
	setInteger(the, ID_stackPeak, now.stackPeak);
}

/** mark(label): writes a line of figures for what ran since the last mark, collects, and starts the peaks over. */
static void Host_mark(xsMachine* the)
{
	char label[64];
	native_onDevice(the);
	xsmcToStringBuffer(xsArg(0), label, sizeof(label));
	system_mark(the, label);
}

/** A line with what is alive, by class. Closed-over variables are in none of them. */
void system_census(void* machine, const char* label)
{
	CensusLine lines[96];
	int count = machine_census(machine, lines, 96), i;
	Figures now = machine_figures(machine);
	FILE* file = results();
	if (!file)
		return;
	fprintf(file, "{\"event\":\"census\",\"label\":");
	writeString(file, label);
	fprintf(file, ",\"slots\":%d,\"chunks\":%d,\"classes\":[", now.slots, now.chunks);
	for (i = 0; i < count; i++) {
		fprintf(file, i ? ",{\"name\":" : "{\"name\":");
		writeString(file, lines[i].name);
		fprintf(file, ",\"count\":%d,\"slots\":%d,\"chunks\":%d}", lines[i].count, lines[i].slots, lines[i].chunks);
	}
	fprintf(file, "]}\n");
	fflush(file);
}

/** census(label) */
static void Host_census(xsMachine* the)
{
	char label[64];
	native_onDevice(the);
	xsmcToStringBuffer(xsArg(0), label, sizeof(label));
	machine_collect(the);
	system_census(the, label);
}

/** random(): uniform in [0, 1), from the seed. xorshift32. */
static void Host_random(xsMachine* the)
{
	native_onDevice(the);
	board.seed ^= board.seed << 13;
	board.seed ^= board.seed >> 17;
	board.seed ^= board.seed << 5;
	xsmcSetNumber(xsResult, board.seed / 4294967296.0);
}

void system_install(void* machine)
{
	static const Method methods[] = {
		{ "log", Host_log, 1 }, { "exit", Host_exit, 1 }, { "collect", Host_collect, 0 },
		{ "memory", Host_memory, 0 }, { "mark", Host_mark, 1 }, { "census", Host_census, 1 }, { "random", Host_random, 0 },
		{ "onCommand", Host_onCommand, 1 }, { NULL },
	};
	native_object(machine, "Host", methods);
}

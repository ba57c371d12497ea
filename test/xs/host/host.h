/*
 * The parts of the host and what they may ask of each other.
 *
 *   machine.c   the engine: root in flash, clone in one fixed heap, figures      (knows the engine's insides)
 *   loop.c      clock, timers, the order in which callbacks run
 *   serial.c    an ESP32's UART          tcp.c      TCP in lwIP's sizes
 *   storage.c   key-value storage        system.c   log, figures, exit, random
 *   control.c   commands from outside    classes.c  what all classes share
 *   main.c      options
 *
 * and what only they know of the machine under the host:
 *
 *   posix/      a process                rv32/      the bare board that qemu calls `virt`
 */
#ifndef XS_HOST_H
#define XS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- machine.c ---- */

/** Creation as a Moddable manifest has it. Counts of slots, bytes of chunks. */
typedef struct {
	int staticBytes; /* the one block for slots, chunks and stack; 0 = grow without end */
	int initialChunk, incrementalChunk;
	int initialSlots, incrementalSlots;
	int stackSlots;
} Creation;

typedef struct {
	const char* name; /* specifier */
	const char* path; /* file, or NULL: */
	const char* text; /* source text */
} ModuleSource;

/** Heap figures. "in use" is only exact right after a collection. */
typedef struct {
	int slots, slotsPeak, slotsReserved;
	int chunks, chunksPeak, chunksReserved;
	int stack, stackPeak;
	int collections;
	int keys; /* names interned at run time: each one is a slot and a string for ever */
} Figures;

/** What the linker would have put into flash. */
typedef struct {
	int intrinsicSlots, intrinsicChunks;
	int slots, chunks; /* of preloaded modules, bytecode included */
	int bytecode;      /* of preloaded modules */
	int mainBytecode;  /* of the main module, which is not preloaded */
	int keys;          /* interned names */
	int aliases;       /* objects and bindings that a script may still change: 4 bytes of RAM each */
} FlashFigures;

/** Bytecode of the preloaded module `index` in the order they were given, and its name; NULL behind the last one. */
const char* machine_moduleBytecode(int index, int* size);

/** To be preloaded, in this order. */
void machine_module(ModuleSource source);
/** The module that boots; its bytecode is run from flash, what it makes is RAM. */
void machine_main(ModuleSource source);
/** Root with intrinsics, natives and preloaded modules; frozen and shared. */
void machine_makeRoot(bool frozen);
/** @returns the machine the device would boot */
void* machine_boot(const Creation* creation);
void machine_runMain(void* machine);
/** Runs promise jobs until none is left. */
void machine_runJobs(void* machine);
void machine_collect(void* machine);
Figures machine_figures(void* machine);
/** Peaks start over from what is in use now. */
void machine_resetPeaks(void* machine);
FlashFigures machine_flash(void);
/** What kinds of objects are alive. */
typedef struct {
	char name[40]; /* of the class; "function", "scope", … */
	int count, slots, chunks;
} CensusLine;
/** Fills `lines`, largest first; garbage that was not collected counts. @returns how many there are */
int machine_census(void* machine, CensusLine* lines, int room);
/**
 * Collects at every allocation from now on, so that peaks are what was really alive and not garbage as well; or no more.
 * @returns false in a build without it
 */
bool machine_stress(bool on);
int machine_slotBytes(void);
const char* machine_version(void);
/** True while modules are preloaded: a native called then could not be stored in flash. */
bool machine_isRoot(void* machine);

/* ---- the platform: posix/platform.c or rv32/platform.c ---- */

/** Microseconds since some moment. */
int64_t platform_clock(void);
/** Microseconds that the processor has spent on this program. */
int64_t platform_processorTime(void);
/** Where figures go; NULL when `fd` is negative. */
FILE* platform_results(int fd);

/** A stream of bytes to the outside; a file descriptor where there are some. Nothing that is done to it blocks. */
enum { WIRE_READABLE = 1, WIRE_WRITABLE = 4 };
typedef struct {
	int wire;
	short wants, happened;
} Waiting;
/** Until one of `count` wires can do what it is wanted for, `microseconds` at most (-1: for ever). @returns how many */
int platform_wait(Waiting* waiting, int count, int64_t microseconds);
/** What a UART is wired to; -1 and a message on stderr when that fails. */
int wire_open(const char* wire);
/** Starts a TCP connection, writable once it is decided. @returns -1 when `host` is no address (or name, if `named`) */
int wire_connect(const char* host, int port, bool named);
/** Whether the connection, decided, came about. */
bool wire_connected(int wire);
/** @returns how many bytes; 0: none now, -1: it has ended */
int wire_read(int wire, void* into, int size);
int wire_write(int wire, const void* from, int size);
void wire_close(int wire);

/* ---- loop.c ---- */

/** Microseconds since the start. */
int64_t clock_now(void);
void loop_virtualTime(bool on);
/** Processor time of all callbacks so far, microseconds of this machine. */
int64_t loop_engineTime(void);
/** How many times slower than this machine the device runs; the time of every callback is stretched by it. */
void loop_slowness(double factor);
void loop_run(void* machine);
void loop_stop(void);

/** Something with a wire or a simulated line that calls scripts back. */
typedef struct Source Source;
struct Source {
	Source* next;
	int wire;                                     /* -1: none */
	bool dead;                                    /* closed: the loop takes it off its list and frees it */
	short (*wants)(Source*);                      /* WIRE_READABLE, WIRE_WRITABLE */
	void (*ready)(Source*, short events);         /* moves bytes, runs no script */
	void (*advance)(Source*, int64_t now, bool deaf); /* line time goes on; deaf while a script runs */
	int64_t (*due)(Source*);                      /* when advance() must run, INT64_MAX for never */
	bool (*deliver)(Source*, void* machine);      /* at most one callback; true when there was one */
	void (*release)(Source*);
};
void loop_add(Source* source);
/** Destructor of host objects that begin with a Source. */
void source_destroy(void* data);

/* ---- names the natives use: interned in the root, as the linker does, so that using them costs no heap ---- */

#define HOST_NAMES(_) \
	_(address) _(baud) _(format) _(host) _(path) _(port) _(mode) _(ticks) _(from) _(nodelay) _(target) \
	_(prototype) _(onReadable) _(onWritable) _(onError) _(stack) _(message) \
	_(slots) _(slotsPeak) _(chunks) _(chunksPeak) _(stackPeak) _(bytes) _(bytesPeak) _(slotBytes) \
	_(lost) _(received) _(sent)
#define HOST_ENUM(NAME) ID_##NAME,
enum { HOST_NAMES(HOST_ENUM) HOST_NAME_COUNT };
extern const char* const host_names[HOST_NAME_COUNT];
extern uint32_t host_ids[HOST_NAME_COUNT];

/* ---- classes: each adds its constructors to the object `natives`, which the built-in modules below export ---- */

void serial_install(void* machine);
void tcp_install(void* machine);
void udp_install(void* machine);
void storage_install(void* machine);
void timer_install(void* machine);
void system_install(void* machine);
extern const ModuleSource host_modules[];
extern const int host_moduleCount;

/* ---- board wiring and results, set by main.c ---- */

typedef struct {
	const char* ports[4]; /* what UART n is wired to: tcp:host:port, tty:path, fd:n */
	const char* storage;  /* directory, NULL = RAM only */
	uint32_t seed;
	int resultsFd; /* JSON lines go there, -1 = nowhere */
	int rxFifo;    /* bytes */
} Board;
extern Board board;

void system_census(void* machine, const char* label);
/** A line of figures for what ran since the last one; collects, and starts the peaks over. */
void system_mark(void* machine, const char* label);
/** Takes commands from a wire (control.c). */
void control_open(const char* wire);
void system_report(void* machine, const char* label, int exitCode);
void serial_totals(int64_t* sent, int64_t* received, int64_t* lost);

#endif

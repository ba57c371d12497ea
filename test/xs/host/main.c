/* Options of the host; see usage(). Node's side is ../run.ts. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

int system_exitCode(void);
void system_baseline(void* machine);

/* Creation of the SDK's esp32/esp32c3 target. */
static Creation creation = {
	.staticBytes = 94208, .initialChunk = 1536, .incrementalChunk = 512,
	.initialSlots = 512, .incrementalSlots = 64, .stackSlots = 384,
};

static void usage(FILE* file)
{
	fputs(
		"usage: xs-host [options] main.js\n"
		"  --preload NAME=FILE     module to keep in flash; repeated, in order\n"
		"  --static BYTES          the one block of heap (94208; 0 grows without end)\n"
		"  --stack SLOTS           (384)\n"
		"  --slots INITIAL,STEP    (512,64)\n"
		"  --chunks INITIAL,STEP   bytes (1536,512)\n"
		"  --thawed                leave intrinsics unfrozen\n"
		"  --port N=WIRE           what UART N is wired to: tcp:HOST:PORT, tty:PATH, fd:N\n"
		"  --fifo BYTES            receive FIFO of the UARTs (128)\n"
		"  --storage DIRECTORY     key-value storage (RAM only)\n"
		"  --virtual-time          time jumps to the next timer when nothing else happens\n"
		"  --slowness FACTOR       the device is that many times slower than this machine (0: time stands still)\n"
		"  --live-peaks            collect at every allocation: peaks without garbage (stress build only)\n"
		"  --seed NUMBER           of the random source\n"
		"  --results FD            figures as JSON lines\n"
		"  --control WIRE          commands, a line each: mark LABEL, census LABEL, live 0|1, call N, exit\n"
		"exit: 0 or the script's own; 10 + the engine's abort: 11 memory full, 12 stack overflow, 15 unhandled\n"
		"exception, 18 unhandled rejection; 2 wrong use\n",
		file);
}

static void pair(const char* text, int* first, int* second)
{
	if (sscanf(text, "%d,%d", first, second) != 2) {
		fprintf(stderr, "xs-host: %s is not INITIAL,STEP\n", text);
		exit(2);
	}
}

/** Splits NAME=VALUE in place. */
static char* value(char* text)
{
	char* equals = strchr(text, '=');
	if (!equals) {
		fprintf(stderr, "xs-host: %s is not NAME=VALUE\n", text);
		exit(2);
	}
	*equals = 0;
	return equals + 1;
}

int main(int argc, char* argv[])
{
	enum { PRELOAD = 1, STATIC, STACK, SLOTS, CHUNKS, THAWED, PORT, FIFO, STORAGE, VIRTUAL, SLOWNESS, LIVE, SEED, RESULTS, CONTROL, HELP };
	static const struct option options[] = {
		{ "preload", required_argument, NULL, PRELOAD }, { "static", required_argument, NULL, STATIC },
		{ "stack", required_argument, NULL, STACK }, { "slots", required_argument, NULL, SLOTS },
		{ "chunks", required_argument, NULL, CHUNKS }, { "thawed", no_argument, NULL, THAWED },
		{ "port", required_argument, NULL, PORT }, { "fifo", required_argument, NULL, FIFO },
		{ "storage", required_argument, NULL, STORAGE }, { "virtual-time", no_argument, NULL, VIRTUAL },
		{ "slowness", required_argument, NULL, SLOWNESS }, { "live-peaks", no_argument, NULL, LIVE },
		{ "seed", required_argument, NULL, SEED },
		{ "results", required_argument, NULL, RESULTS }, { "control", required_argument, NULL, CONTROL },
		{ "help", no_argument, NULL, HELP }, { 0 },
	};
	bool frozen = true, live = false;
	void* machine;
	int option, i;
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < host_moduleCount; i++)
		machine_module(host_modules[i]);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case PRELOAD: {
			char* path = value(optarg);
			machine_module((ModuleSource){ optarg, path, NULL });
			break;
		}
		case STATIC: creation.staticBytes = atoi(optarg); break;
		case STACK: creation.stackSlots = atoi(optarg); break;
		case SLOTS: pair(optarg, &creation.initialSlots, &creation.incrementalSlots); break;
		case CHUNKS: pair(optarg, &creation.initialChunk, &creation.incrementalChunk); break;
		case THAWED: frozen = false; break;
		case PORT: {
			char* wire = value(optarg);
			board.ports[atoi(optarg) & 3] = wire;
			break;
		}
		case FIFO: board.rxFifo = atoi(optarg); break;
		case STORAGE: board.storage = optarg; break;
		case VIRTUAL: loop_virtualTime(true); break;
		case SLOWNESS: loop_slowness(atof(optarg)); break;
		case LIVE: live = true; break;
		case SEED: board.seed = (uint32_t)strtoul(optarg, NULL, 0); break;
		case RESULTS: board.resultsFd = atoi(optarg); break;
		case CONTROL: control_open(optarg); break;
		case HELP: usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	}
	if (optind != argc - 1) {
		usage(stderr);
		return 2;
	}
	if (board.seed == 0)
		board.seed = 1;
	machine_main((ModuleSource){ "main", argv[optind], NULL });
	machine_makeRoot(frozen);
	machine = machine_boot(&creation);
	system_baseline(machine);
	if (live && !machine_stress(true)) {
		fprintf(stderr, "xs-host: --live-peaks needs the stress build\n");
		return 2;
	}
	machine_runMain(machine);
	loop_run(machine);
	system_report(machine, "end", system_exitCode());
	fflush(stdout);
	/* No orderly end: a device has none either, and scripts' finalizers must not run after the figures. */
	_Exit(system_exitCode());
}

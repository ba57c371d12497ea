/*
 * The engine as a device has it.
 *
 * A firmware image is linked: intrinsics and preloaded modules are constant data in flash, and the machine that boots
 * owns nothing but what it makes at run time. Here a root machine stands for the flash: it is created, loads the
 * modules, is frozen the way the linker freezes, and is shared; the machine that boots is its clone, in one block of
 * memory of the size the device has.
 */
#include "xsAll.h"
#include "xsScript.h"

#include "host.h"

struct Heap {
	txByte* start;
	txByte* top;    /* chunks grow up to here … */
	txByte* bottom; /* … and slots and stack down to here */
	txByte* end;
};

#define MODULES_MAX 256
static ModuleSource modules[MODULES_MAX];
static int moduleBytecode[MODULES_MAX];
static int moduleCount = 0;
static ModuleSource mainModule;

static txMachine* root = NULL;
static bool jobsQueued = false;
static FlashFigures flash;

/* Both machines must hash names alike: the clone starts from a copy of the root's tables. */
enum { NAME_MODULO = 127, SYMBOL_MODULO = 127 };

/* ---- memory ---- */

void* fxAllocateChunks(txMachine* the, txSize size)
{
	struct Heap* heap = the->heap;
	txByte* result;
	if (!heap)
		return c_malloc(size);
	if (the->firstBlock) {
		/* The device, too, extends its one block by no more than what is missing at its end. */
		txBlock* block = the->firstBlock;
		txSize missing = size - (txSize)sizeof(txBlock) - (txSize)(block->limit - block->current);
		if (missing > heap->bottom - heap->top)
			return C_NULL;
		heap->top += missing;
		block->limit = heap->top - size;
		the->maximumChunksSize += missing - (size - (txSize)sizeof(txBlock));
		return block->limit;
	}
	if (size > heap->bottom - heap->top)
		return C_NULL;
	result = heap->top;
	heap->top += size;
	return result;
}

void fxFreeChunks(txMachine* the, void* chunks)
{
	if (!the->heap)
		c_free(chunks);
}

txSlot* fxAllocateSlots(txMachine* the, txSize count)
{
	struct Heap* heap = the->heap;
	txSize size = count * (txSize)sizeof(txSlot);
	if (!heap)
		return c_malloc(size);
	if (size > heap->bottom - heap->top)
		return C_NULL;
	heap->bottom -= size;
	return (txSlot*)heap->bottom;
}

void fxFreeSlots(txMachine* the, void* slots)
{
	if (!the->heap)
		c_free(slots);
}

void fxCreateMachinePlatform(txMachine* the)
{
	the->heap = the->context; /* Set before the first allocation; C_NULL for the root. */
}

void fxDeleteMachinePlatform(txMachine* the)
{
}

/* ---- the end ---- */

/* Its name differs between engines, its number does not. */
enum { STACK_OVERFLOW = XS_NOT_ENOUGH_MEMORY_EXIT + 1 };

static bool isCode(txSlot* slot)
{
	return slot && (slot->flag & XS_INTERNAL_FLAG)
		&& (slot->kind == XS_CODE_KIND || slot->kind == XS_CODE_X_KIND || slot->kind == XS_CALLBACK_KIND
			|| slot->kind == XS_CALLBACK_X_KIND);
}

static const char* abortReason(int status)
{
	switch (status) {
	case XS_NOT_ENOUGH_MEMORY_EXIT: return "memory full";
	case STACK_OVERFLOW: return "stack overflow";
	case XS_FATAL_CHECK_EXIT: return "fatal check";
	case XS_DEAD_STRIP_EXIT: return "dead strip";
	case XS_UNHANDLED_EXCEPTION_EXIT: return "unhandled exception";
	case XS_NO_MORE_KEYS_EXIT: return "not enough keys";
	case XS_UNHANDLED_REJECTION_EXIT: return "unhandled rejection";
	default: return "abort";
	}
}

static bool printable(txSlot* slot)
{
	return slot->kind == XS_STRING_KIND || slot->kind == XS_STRING_X_KIND;
}

/** The exception with its stack, without running any script: there may be no memory left to run one. */
static void printException(txMachine* the, txSlot* exception)
{
	txSlot* property;
	if (printable(exception)) {
		fprintf(stderr, ": %s\n", exception->value.string);
		return;
	}
	if (exception->kind != XS_REFERENCE_KIND) {
		fprintf(stderr, "\n");
		return;
	}
	for (property = exception->value.reference->next; property; property = property->next)
		if (property->kind == XS_ERROR_KIND && property->value.error.info)
			break;
	for (property = exception->value.reference->next; property; property = property->next)
		if (property->ID == mxID(_message) && printable(property))
			fprintf(stderr, ": %s", property->value.string);
	fprintf(stderr, "\n");
	for (property = exception->value.reference->next; property; property = property->next)
		if (property->ID == (txID)host_ids[ID_stack] && printable(property))
			fprintf(stderr, "%s\n", property->value.string);
}

/** Functions under way with the slots of stack each has taken, innermost first: whose depth has to shrink. */
static void printStack(txMachine* the)
{
	txSlot* top = the->stack;
	txSlot* frame;
	txSlot* innermost = the->frame;
	for (frame = innermost; frame; frame = frame->next) {
		txSlot* function;
		the->frame = frame; /* for the macro, whose offsets differ between engines */
		function = mxFunction;
		if (function->kind == XS_REFERENCE_KIND && isCode(function->value.reference->next)) {
			txID id = mxFunctionInstanceCode(function->value.reference)->ID;
			txString name = id == XS_NO_ID ? C_NULL : fxGetKeyName(the, id);
			fprintf(stderr, "#   %4d slots  %s\n", (int)(frame - top), name && *name ? name : "(anonymous)");
			top = frame;
		}
	}
	the->frame = innermost;
}

/** As on the device, a script cannot catch this. The exit code is 10 + the engine's own: 11 memory, 12 stack. */
void fxAbort(txMachine* the, int status)
{
	static bool again = false;
	if (again)
		_exit(10 + status);
	again = true;
	fflush(stdout);
	fprintf(stderr, "# XS abort: %s", abortReason(status));
	if (status == XS_UNHANDLED_EXCEPTION_EXIT || status == XS_UNHANDLED_REJECTION_EXIT)
		printException(the, &mxException);
	else
		fprintf(stderr, "\n");
	if (status == STACK_OVERFLOW || status == XS_NOT_ENOUGH_MEMORY_EXIT)
		printStack(the);
	fflush(stderr);
	/* The engine has just collected in vain: what is alive now is what did not fit. */
	if (status == XS_NOT_ENOUGH_MEMORY_EXIT && the != root && root)
		system_census(the, abortReason(status));
	system_report(the == root || !root ? NULL : the, abortReason(status), 10 + status);
	_exit(10 + status);
}

/* ---- modules ---- */

void machine_module(ModuleSource source)
{
	if (moduleCount == MODULES_MAX) {
		fprintf(stderr, "xs-host: more than %d modules\n", MODULES_MAX);
		exit(2);
	}
	modules[moduleCount++] = source;
}

void machine_main(ModuleSource source)
{
	mainModule = source;
}

static const ModuleSource* findModule(txString name)
{
	int i;
	for (i = 0; i < moduleCount; i++)
		if (!c_strcmp(modules[i].name, name))
			return &modules[i];
	if (mainModule.name && !c_strcmp(mainModule.name, name))
		return &mainModule;
	return NULL;
}

txID fxFindModule(txMachine* the, txSlot* realm, txID from, txSlot* specifier)
{
	char name[256];
	fxToStringBuffer(the, specifier, name, sizeof(name));
	return findModule(name) ? fxNewNameC(the, name) : XS_NO_ID;
}

/*
 * The linker's work on a module that is not preloaded: its bytecode stays in flash and is run in place. Identifiers in
 * the code are rewritten to the machine's own, and the opcodes that make functions and strings to those that point
 * into the code instead of copying from it.
 */
static void archive(txMachine* the, txScript* script)
{
	txByte* p = script->symbolsBuffer;
	txID* ids;
	txID count, i;
	txByte* end = script->codeBuffer + script->codeSize;
	mxDecodeID(p, count);
	ids = c_malloc(count * sizeof(txID));
	ids[0] = XS_NO_ID;
	for (i = 1; i < count; i++) {
		ids[i] = fxNewNameC(the, (txString)p);
		p += mxStringLength((char*)p) + 1;
	}
	for (p = script->codeBuffer; p < end;) {
		txU1 code = *(txU1*)p;
		txS1 size = gxCodeSizes[code];
		switch (code) {
		case XS_CODE_CODE_1: *(txU1*)p = XS_CODE_CODE_ARCHIVE_1; break;
		case XS_CODE_CODE_2: *(txU1*)p = XS_CODE_CODE_ARCHIVE_2; break;
		case XS_CODE_CODE_4: *(txU1*)p = XS_CODE_CODE_ARCHIVE_4; break;
		case XS_CODE_STRING_1: *(txU1*)p = XS_CODE_STRING_ARCHIVE_1; break;
		case XS_CODE_STRING_2: *(txU1*)p = XS_CODE_STRING_ARCHIVE_2; break;
		case XS_CODE_STRING_4: *(txU1*)p = XS_CODE_STRING_ARCHIVE_4; break;
		}
		if (size > 0)
			p += size;
		else if (size == 0) {
			txID id;
			p++;
			mxDecodeID(p, id);
			p -= sizeof(txID);
			mxEncodeID(p, ids[id]);
		}
		else if (size == -1)
			p += 2 + ((txU1*)p)[1];
		else if (size == -2) {
			txU2 length;
			p++;
			mxDecode2(p, length);
			p += length;
		}
		else {
			txU4 length;
			p++;
			mxDecode4(p, length);
			p += length;
		}
	}
	c_free(ids);
	script->symbolsBuffer = C_NULL;
	script->symbolsSize = 0;
	script->callback = C_NULL;
}

static txScript* parseModule(txMachine* the, const ModuleSource* source)
{
	txScript* script;
	if (source->path) {
		FILE* file = fopen(source->path, "r");
		if (!file) {
			fprintf(stderr, "xs-host: cannot read %s\n", source->path);
			exit(2);
		}
		script = fxParseScript(the, file, (txGetter)fgetc, 0);
		fclose(file);
	}
	else {
		txStringCStream stream;
		stream.buffer = (txString)source->text;
		stream.offset = 0;
		stream.size = (txSize)c_strlen(source->text);
		script = fxParseScript(the, &stream, fxStringCGetter, 0);
	}
	if (!script) {
		fprintf(stderr, "xs-host: %s cannot be parsed\n", source->name);
		exit(2);
	}
	return script;
}

/* The main module, parsed and archived by the root: parsing belongs to the build, not to the device. */
static txScript* mainScript = NULL;

void fxLoadModule(txMachine* the, txSlot* module, txID moduleID)
{
	txString name = fxGetKeyName(the, moduleID);
	if (the != root) {
		if (mainScript && !c_strcmp(name, mainModule.name))
			fxResolveModule(the, module, moduleID, mainScript, C_NULL, C_NULL);
		return;
	}
	{
		const ModuleSource* source = findModule(name);
		if (source) {
			txScript* script = parseModule(the, source);
			flash.bytecode += script->codeSize;
			if (source != &mainModule)
				moduleBytecode[source - modules] = script->codeSize;
			fxResolveModule(the, module, moduleID, script, C_NULL, C_NULL);
		}
	}
}

/* ---- promise jobs ---- */

void fxQueuePromiseJobs(txMachine* the)
{
	jobsQueued = true;
}

void machine_runJobs(void* machine)
{
	txMachine* the = machine;
	do {
		while (jobsQueued) {
			jobsQueued = false;
			fxRunPromiseJobs(the);
		}
		fxEndJob(the);
	} while (jobsQueued);
	fxCheckUnhandledRejections(the, 1);
}

/* ---- flash ---- */

static void freezeInstance(txSlot* instance)
{
	txSlot* property;
	instance->flag |= XS_DONT_PATCH_FLAG;
	for (property = instance->next; property; property = property->next) {
		if (property->kind != XS_ACCESSOR_KIND)
			property->flag |= XS_DONT_SET_FLAG;
		property->flag |= XS_DONT_DELETE_FLAG;
	}
}

/** Kinds of which a copy in RAM cannot stand for the original in flash; the linker freezes them. */
static bool cannotBeAliased(txSlot* internal)
{
	switch (internal->kind) {
	case XS_ARRAY_BUFFER_KIND:
	case XS_DATA_VIEW_KIND:
	case XS_TYPED_ARRAY_KIND:
	case XS_MAP_KIND:
	case XS_SET_KIND:
	case XS_WEAK_MAP_KIND:
	case XS_WEAK_SET_KIND:
	case XS_WEAK_REF_KIND:
	case XS_PROMISE_KIND:
	case XS_PROXY_KIND:
	case XS_REGEXP_KIND:
		return true;
	}
	return false;
}

typedef void (*SlotVisitor)(txMachine* the, txSlot* slot);

static void visitSlots(txMachine* the, SlotVisitor visit)
{
	txSlot* heap;
	for (heap = the->firstHeap; heap; heap = heap->next) {
		txSlot* slot;
		for (slot = heap + 1; slot < heap->value.reference; slot++)
			visit(the, slot);
	}
}

/** Intrinsics: everything made so far but the global object, which scripts may add to, and the engine's own lists. */
static void freezeIntrinsic(txMachine* the, txSlot* slot)
{
	bool list = slot->value.instance.prototype == C_NULL && (!slot->next || (slot->next->flag & XS_INTERNAL_FLAG));
	if (slot->kind == XS_INSTANCE_KIND && slot != mxGlobal.value.reference && !list)
		freezeInstance(slot);
}

/** Functions, their prototypes and environments, bindings of functions: what the linker freezes without being asked. */
static void freezePreloaded(txMachine* the, txSlot* slot)
{
	txSlot* internal = slot->next;
	if (slot->kind == XS_CLOSURE_KIND) {
		txSlot* closure = slot->value.closure;
		if (closure && closure->kind == XS_REFERENCE_KIND && isCode(closure->value.reference->next))
			closure->flag |= XS_DONT_SET_FLAG;
		return;
	}
	if (slot->kind != XS_INSTANCE_KIND || !internal || !(internal->flag & XS_INTERNAL_FLAG))
		return;
	if (isCode(internal)) {
		freezeInstance(slot);
		if (slot->flag & XS_CAN_CONSTRUCT_FLAG) {
			txSlot* property;
			for (property = internal->next; property; property = property->next)
				if (property->ID == mxID(_prototype) && property->kind == XS_REFERENCE_KIND)
					freezeInstance(property->value.reference);
		}
	}
	else if (internal->ID == XS_ENVIRONMENT_BEHAVIOR || cannotBeAliased(internal))
		freezeInstance(slot);
}

/*
 * Object.freeze leaves the engine's own slots of an object alone, and sharing then takes the object for one that can
 * still change. Bring them in line; arrays keep the flags of their items.
 */
static void settleInternals(txMachine* the, txSlot* slot)
{
	txSlot* property;
	if (slot->kind != XS_INSTANCE_KIND || !(slot->flag & XS_DONT_PATCH_FLAG))
		return;
	for (property = slot->next; property && (property->flag & XS_INTERNAL_FLAG); property = property->next)
		if (property->kind != XS_ARRAY_KIND)
			property->flag |= XS_DONT_SET_FLAG | XS_DONT_DELETE_FLAG;
}

/** Values are copied into the clone: its collector must take what they point to for flash, not for a chunk of its own. */
static void makeConstant(txMachine* the, txSlot* slot)
{
	switch (slot->kind) {
	case XS_STRING_KIND: slot->kind = XS_STRING_X_KIND; break;
	case XS_BIGINT_KIND: slot->kind = XS_BIGINT_X_KIND; break;
	case XS_CODE_KIND: slot->kind = XS_CODE_X_KIND; break;
	case XS_CALLBACK_KIND: slot->kind = XS_CALLBACK_X_KIND; break;
	case XS_KEY_KIND: slot->kind = XS_KEY_X_KIND; break;
	}
}

static void makeArrayConstant(txMachine* the, txSlot* slot)
{
	makeConstant(the, slot);
	if (slot->kind == XS_ARRAY_KIND && slot->value.array.address) {
		txSlot* item = slot->value.array.address;
		txInteger count = (txInteger)fxGetIndexSize(the, slot);
		for (; count > 0; count--, item++)
			makeConstant(the, item);
	}
}

static txID aliasCount;

/** Sharing numbers from 0, which is also the mark of "no alias". The linker starts at 1; so do we. */
static void renumber(txMachine* the, txSlot* slot)
{
	if (slot->kind == XS_INSTANCE_KIND) {
		bool alias = !(slot->flag & XS_DONT_PATCH_FLAG);
		txSlot* property;
		for (property = slot->next; property && !alias; property = property->next) {
			if (property->kind == XS_ARRAY_KIND && (property->flag & XS_INTERNAL_FLAG)) {
				txSlot* item = property->value.array.address;
				txInteger count = (txInteger)fxGetIndexSize(the, property);
				for (; count > 0 && !alias; count--, item++)
					alias = (item->kind != XS_ACCESSOR_KIND && !(item->flag & XS_DONT_SET_FLAG))
						|| !(item->flag & XS_DONT_DELETE_FLAG);
			}
			else
				alias = (property->kind != XS_ACCESSOR_KIND && !(property->flag & XS_DONT_SET_FLAG))
					|| !(property->flag & XS_DONT_DELETE_FLAG);
		}
		slot->ID = alias ? aliasCount++ : XS_NO_ID;
	}
}

static void resetClosure(txMachine* the, txSlot* slot)
{
	if (slot->kind == XS_CLOSURE_KIND && slot->value.closure && !(slot->value.closure->flag & XS_DONT_SET_FLAG))
		slot->value.closure->ID = XS_NO_ID;
}

static void renumberClosure(txMachine* the, txSlot* slot)
{
	if (slot->kind == XS_CLOSURE_KIND && slot->value.closure && !(slot->value.closure->flag & XS_DONT_SET_FLAG)
		&& slot->value.closure->ID == XS_NO_ID)
		slot->value.closure->ID = aliasCount++;
}

static void importNow(txMachine* the, const char* name)
{
	mxPushStringC((txString)name);
	fxAwaitImport(the, XS_IMPORT_NAMESPACE);
	mxPop();
}

void machine_makeRoot(bool frozen)
{
	txCreation creation;
	txMachine* the;
	txSlot* slot;
	int i;
	c_memset(&creation, 0, sizeof(creation));
	creation.initialChunkSize = 1024 * 1024;
	creation.incrementalChunkSize = 1024 * 1024;
	creation.initialHeapCount = 64 * 1024;
	creation.incrementalHeapCount = 64 * 1024;
	creation.stackCount = 8 * 1024;
	creation.initialKeyCount = 4 * 1024;
	creation.incrementalKeyCount = 1024;
	creation.nameModulo = NAME_MODULO;
	creation.symbolModulo = SYMBOL_MODULO;
	creation.parserBufferSize = 64 * 1024;
	creation.parserTableModulo = 1993;
	the = root = fxCreateMachine(&creation, "flash", C_NULL, XS_NO_ID);
	if (!the) {
		fprintf(stderr, "xs-host: the engine could not be created\n");
		exit(2);
	}
	fxBeginHost(the);
	for (i = 0; i < HOST_NAME_COUNT; i++)
		host_ids[i] = fxNewNameC(the, (txString)host_names[i]);
	for (i = 0; i < moduleCount; i++)
		fxNewNameC(the, (txString)modules[i].name);
	fxNewNameC(the, (txString)mainModule.name);
	fxEndHost(the);
	fxCollectGarbage(the);
	flash.intrinsicSlots = the->currentHeapCount;
	flash.intrinsicChunks = the->currentChunksSize;

	/* Freezing now instead of after preloading shows at once what would throw at run time on the device. */
	if (frozen)
		visitSlots(the, freezeIntrinsic);
	system_install(the);
	timer_install(the);
	serial_install(the);
	tcp_install(the);
	udp_install(the);
	storage_install(the);
	flash.bytecode = 0;
	fxBeginHost(the);
	{
		mxTry(the) {
			for (i = 0; i < moduleCount; i++)
				importNow(the, modules[i].name);
		}
		mxCatch(the) {
			fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
		}
	}
	fxEndHost(the);
	machine_runJobs(the);
	mainScript = parseModule(the, &mainModule);
	flash.mainBytecode = mainScript->codeSize;
	fxBeginHost(the);
	archive(the, mainScript);
	mxPush(mxGlobal);
	fxDeleteID(the, fxNewNameC(the, "natives"));
	mxPop();
	fxEndHost(the);
	fxCollectGarbage(the);
	flash.slots = the->currentHeapCount - flash.intrinsicSlots;
	flash.chunks = the->currentChunksSize - flash.intrinsicChunks;
	flash.keys = the->keyIndex;

	visitSlots(the, freezePreloaded);
	visitSlots(the, settleInternals);
	fxShareMachine(the);
	aliasCount = 1;
	visitSlots(the, renumber);
	visitSlots(the, resetClosure);
	visitSlots(the, renumberClosure);
	the->aliasCount = aliasCount;
	flash.aliases = aliasCount - 1;
	visitSlots(the, makeArrayConstant);
	for (slot = the->stack; slot < the->stackTop; slot++)
		makeConstant(the, slot);
}

/* ---- the device ---- */

void* machine_boot(const Creation* options)
{
	txCreation creation;
	struct Heap* heap = C_NULL;
	txMachine* the;
	c_memset(&creation, 0, sizeof(creation));
	creation.initialChunkSize = options->initialChunk;
	creation.incrementalChunkSize = options->incrementalChunk;
	creation.initialHeapCount = options->initialSlots;
	creation.incrementalHeapCount = options->incrementalSlots;
	creation.stackCount = options->stackSlots;
	creation.initialKeyCount = 32;
	creation.incrementalKeyCount = 16;
	creation.nameModulo = NAME_MODULO;
	creation.symbolModulo = SYMBOL_MODULO;
	creation.parserBufferSize = 1024;
	creation.parserTableModulo = 127;
	if (options->staticBytes) {
		heap = c_malloc(sizeof(struct Heap));
		heap->start = heap->top = c_malloc(options->staticBytes);
		heap->end = heap->bottom = heap->start + options->staticBytes;
	}
	the = fxCloneMachine(&creation, root, "device", heap);
	if (!the) {
		fprintf(stderr, "xs-host: the machine could not be cloned\n");
		exit(2);
	}
	return the;
}

void machine_runMain(void* machine)
{
	txMachine* the = machine;
	fxBeginHost(the);
	{
		mxTry(the) {
			importNow(the, mainModule.name);
		}
		mxCatch(the) {
			fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
		}
	}
	fxEndHost(the);
}

bool machine_isRoot(void* machine)
{
	return machine == root;
}

/* ---- figures ---- */

void machine_collect(void* machine)
{
	fxCollectGarbage((txMachine*)machine);
}

/*
 * The engine notes its stack's peak only where functions end, without what natives and exceptions put on top. So the
 * unused part is painted, and the peak is where the paint ends. At the very end the engine may have converted a number:
 * it borrows the unused part of the stack for that (xsdtoa.c), and it needs none of it.
 */
enum { PAINT = 0xA5, GAP = 8 * sizeof(txSlot) };

static int stackPeak(txMachine* the)
{
	txByte* bottom = (txByte*)the->stackBottom;
	txByte* unused = bottom;
	txByte* p = bottom;
	int painted = 0;
	if (*(txU1*)bottom != PAINT)
		for (; p < (txByte*)the->stack && painted < GAP; p++)
			painted = *(txU1*)p == PAINT ? painted + 1 : 0;
	if (painted == GAP)
		unused = p;
	while (unused < (txByte*)the->stack && *(txU1*)unused == PAINT)
		unused++;
	return (int)(the->stackTop - (txSlot*)the->stackBottom) - (int)((unused - (txByte*)the->stackBottom) / sizeof(txSlot));
}

Figures machine_figures(void* machine)
{
	txMachine* the = machine;
	Figures figures;
	figures.slots = the->currentHeapCount;
	figures.slotsPeak = the->peakHeapCount;
	figures.slotsReserved = the->maximumHeapCount;
	figures.chunksReserved = the->heap ? (int)(the->heap->top - the->heap->start) : the->maximumChunksSize;
	/* The engine counts a chunk that grows in place twice until the next collection; more than there is cannot be. */
	figures.chunks = the->currentChunksSize < figures.chunksReserved ? the->currentChunksSize : figures.chunksReserved;
	figures.chunksPeak = the->peakChunksSize < figures.chunksReserved ? the->peakChunksSize : figures.chunksReserved;
	figures.stack = (int)(the->stackTop - the->stack);
	figures.stackPeak = stackPeak(the);
	figures.collections = the->garbageCollectionCount;
	figures.keys = the->keyIndex - the->keyOffset;
	return figures;
}

void machine_resetPeaks(void* machine)
{
	txMachine* the = machine;
	the->peakHeapCount = the->currentHeapCount;
	the->peakChunksSize = the->currentChunksSize;
	the->stackPeak = the->stack;
	c_memset(the->stackBottom, PAINT, (txByte*)the->stack - (txByte*)the->stackBottom);
}

bool machine_stress(bool on)
{
#if mxStress
	extern int gxStress;
	gxStress = on;
	return true;
#else
	return false;
#endif
}

/* ---- census ---- */

/** Bytes of the chunk that `data` is the content of; 0 when it is in flash. */
static int chunkSize(txMachine* the, void* data)
{
	txByte* address = data;
	txBlock* block;
	for (block = the->firstBlock; block; block = block->nextBlock)
		if (address > (txByte*)block && address < block->current)
			return (int)((txChunk*)(address - sizeof(txChunk)))->size;
	return 0;
}

static void countSlot(txMachine* the, txSlot* slot, CensusLine* line)
{
	line->slots++;
	switch (slot->kind) {
	case XS_STRING_KIND: line->chunks += chunkSize(the, slot->value.string); break;
	case XS_BIGINT_KIND: line->chunks += chunkSize(the, slot->value.bigint.data); break;
	case XS_ARRAY_KIND: line->chunks += chunkSize(the, slot->value.array.address); break;
	case XS_ARRAY_BUFFER_KIND: line->chunks += chunkSize(the, slot->value.arrayBuffer.address); break;
	case XS_STACK_KIND: line->chunks += chunkSize(the, slot->value.stack.address); break;
	case XS_MAP_KIND:
	case XS_SET_KIND: line->chunks += chunkSize(the, slot->value.table.address); break;
	case XS_PRIVATE_KIND: {
		txSlot* item;
		for (item = slot->value.private.first; item; item = item->next)
			countSlot(the, item, line);
		break;
	}
	}
}

static txString functionName(txMachine* the, txSlot* function)
{
	txSlot* property;
	txID id = mxFunctionInstanceCode(function)->ID;
	if (id != XS_NO_ID)
		return fxGetKeyName(the, id);
	for (property = function->next; property; property = property->next)
		if (property->ID == mxID(_name) && printable(property))
			return property->value.string;
	return C_NULL;
}

static const char* className(txMachine* the, txSlot* instance)
{
	txSlot* property;
	txSlot* prototype = instance->value.instance.prototype;
	txString name = C_NULL;
	if (isCode(instance->next))
		return "function";
	if (instance->next && instance->next->ID == XS_ENVIRONMENT_BEHAVIOR && (instance->next->flag & XS_INTERNAL_FLAG))
		return "scope";
	for (property = instance->next; property && (property->flag & XS_INTERNAL_FLAG); property = property->next)
		if (property->kind == XS_STACK_KIND)
			return "suspended function";
	if (!prototype)
		return "(engine)";
	for (property = prototype->next; property; property = property->next)
		if (property->ID == mxID(_constructor) && property->kind == XS_REFERENCE_KIND
			&& isCode(property->value.reference->next))
			name = functionName(the, property->value.reference);
	return name && *name ? name : "(nameless)";
}

static int bySize(const void* a, const void* b)
{
	const CensusLine* left = a;
	const CensusLine* right = b;
	int slot = (int)sizeof(txSlot);
	return (right->slots * slot + right->chunks) - (left->slots * slot + left->chunks);
}

int machine_census(void* machine, CensusLine* lines, int room)
{
	txMachine* the = machine;
	txSlot* heap;
	int count = 0, i;
	for (heap = the->firstHeap; heap; heap = heap->next) {
		txSlot* slot;
		for (slot = heap + 1; slot < heap->value.reference; slot++) {
			const char* name;
			txSlot* property;
			if (slot->kind != XS_INSTANCE_KIND)
				continue;
			name = className(the, slot);
			for (i = 0; i < count && strncmp(lines[i].name, name, sizeof(lines[i].name) - 1); i++)
				;
			if (i == count) {
				if (count == room)
					continue;
				c_memset(&lines[count], 0, sizeof(lines[count]));
				strncpy(lines[count].name, name, sizeof(lines[count].name) - 1);
				count++;
			}
			lines[i].count++;
			lines[i].slots++;
			for (property = slot->next; property; property = property->next)
				countSlot(the, property, &lines[i]);
		}
	}
	qsort(lines, count, sizeof(CensusLine), bySize);
	return count;
}

const char* machine_moduleBytecode(int index, int* size)
{
	if (index >= moduleCount)
		return NULL;
	*size = moduleBytecode[index];
	return modules[index].name;
}

FlashFigures machine_flash(void)
{
	return flash;
}

int machine_slotBytes(void)
{
	return (int)sizeof(txSlot);
}

const char* machine_version(void)
{
	static char version[32];
	snprintf(version, sizeof(version), "%d.%d.%d", XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION);
	return version;
}

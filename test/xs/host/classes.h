/* What native classes share. Written against the engine's public interface only, so that any version of XS will do. */
#ifndef XS_HOST_CLASSES_H
#define XS_HOST_CLASSES_H

#include "xsmc.h"

#include "host.h"

typedef struct {
	const char* name; /* "get x" makes an accessor */
	xsCallback callback;
	int length;
} Method;

/** `natives.<name>`: an object with these functions. */
void native_object(void* machine, const char* name, const Method* methods);
/** `natives.<name>`: a class whose instances carry host data. */
void native_class(void* machine, const char* name, xsCallback constructor, xsDestructor destructor, const Method* methods);
/** First in a constructor: makes `this`, an instance of the class that `new` was applied to. */
void native_construct(xsMachine* the);
/** Throws while modules are preloaded: what a native makes cannot be stored in flash. */
void native_onDevice(xsMachine* the);

/** The part of an I/O object the script sees. */
typedef struct {
	xsSlot object;
	xsSlot onReadable, onWritable, onError; /* undefined when the script gave none */
} Callbacks;

/** Reads the callbacks from the options, ties `data` to `this` and keeps it alive until released. */
void callbacks_open(xsMachine* the, Callbacks* callbacks, void* data, const xsHostHooks* hooks);
void callbacks_mark(xsMachine* the, Callbacks* callbacks, xsMarkRoot mark);
void callbacks_close(xsMachine* the, Callbacks* callbacks);
/**
 * Calls `callback` with `count`, without arguments when it is negative.
 * @returns false when the script gave no such callback
 */
bool callbacks_call(void* machine, Callbacks* callbacks, xsSlot* callback, int count);

/** onCommand() of the module `host` (control.c). */
void Host_onCommand(xsMachine* the);

/** The integer option `id`, or `missing`. */
int option_integer(xsMachine* the, int id, int missing);
/** read(buffer) and read(count) as ECMA-419 has them: how many bytes to take from `available`, and where to. */
int read_request(xsMachine* the, int available, uint8_t** into);

#endif

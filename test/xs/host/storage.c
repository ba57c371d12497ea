/*
 * `embedded:storage/key-value` with the limits of the ESP32's NVS: keys of 15 characters, strings of 3999 bytes.
 * A key is a file, `domain=key`, replaced in one step, so that a write is durable when it returns.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classes.h"

enum { KEY_MAX = 15, VALUE_MAX = 3999 };

typedef struct {
	char start[512]; /* of the paths of its files */
	bool buffers; /* format "buffer"; otherwise "string" */
} Domain;

static void domain_destroy(void* data)
{
	free(data);
}

/** Of a domain or a key. */
static bool valid(const char* name)
{
	return *name && *name != '.' && strlen(name) <= KEY_MAX && !strpbrk(name, "/=");
}

static Domain* this(xsMachine* the)
{
	Domain* domain = xsmcGetHostData(xsThis);
	if (!domain)
		xsUnknownError("closed");
	return domain;
}

static void keyPath(xsMachine* the, char* path, size_t size, const char* suffix)
{
	char key[64];
	Domain* domain = this(the);
	xsmcToStringBuffer(xsArg(0), key, sizeof(key));
	if (!valid(key))
		xsRangeError("invalid key");
	if ((size_t)snprintf(path, size, "%s%s%s", domain->start, key, suffix) >= size)
		xsRangeError("path too long");
}

static void Domain_read(xsMachine* the)
{
	char path[640], value[VALUE_MAX + 1];
	size_t size;
	FILE* file;
	keyPath(the, path, sizeof(path), "");
	file = fopen(path, "rb");
	if (!file)
		return;
	size = fread(value, 1, VALUE_MAX, file);
	fclose(file);
	value[size] = 0;
	if (this(the)->buffers)
		xsmcSetArrayBuffer(xsResult, value, (xsIntegerValue)size);
	else
		xsmcSetStringBuffer(xsResult, value, (xsIntegerValue)size);
}

static void Domain_write(xsMachine* the)
{
	char path[640], temporary[640];
	void* value;
	xsUnsignedValue size;
	FILE* file;
	keyPath(the, path, sizeof(path), "");
	keyPath(the, temporary, sizeof(temporary), ".new");
	if (this(the)->buffers)
		xsmcGetBufferReadable(xsArg(1), &value, &size);
	else {
		value = xsmcToString(xsArg(1));
		size = (xsUnsignedValue)strlen(value);
	}
	if (size > VALUE_MAX)
		xsRangeError("value too long");
	file = fopen(temporary, "wb");
	if (!file || fwrite(value, 1, size, file) != size || fflush(file) || fsync(fileno(file)))
		xsUnknownError("write failed");
	fclose(file);
	if (rename(temporary, path))
		xsUnknownError("write failed");
}

static void Domain_delete(xsMachine* the)
{
	char path[640];
	keyPath(the, path, sizeof(path), "");
	if (unlink(path) && errno != ENOENT)
		xsUnknownError("delete failed");
}

static void Domain_close(xsMachine* the)
{
	void* domain = xsmcGetHostData(xsThis);
	if (domain) {
		domain_destroy(domain);
		xsmcSetHostData(xsThis, NULL);
	}
}

static const char* root(void)
{
	static char temporary[] = "/tmp/xs-host-XXXXXX";
	if (board.storage) {
		mkdir(board.storage, 0777);
		return board.storage;
	}
	/* Without a directory nothing is kept beyond this run. */
	return board.storage = mkdtemp(temporary);
}

/** new Domain({path, format}) */
static void Domain_constructor(xsMachine* the)
{
	Domain* domain;
	char text[64];
	xsSlot value;
	native_construct(the);
	xsmcGet(value, xsArg(0), host_ids[ID_path]);
	xsmcToStringBuffer(value, text, sizeof(text));
	if (!valid(text))
		xsRangeError("invalid path");
	domain = calloc(1, sizeof(Domain));
	snprintf(domain->start, sizeof(domain->start), "%s/%s=", root(), text);
	if (xsmcHas(xsArg(0), host_ids[ID_format])) {
		xsmcGet(value, xsArg(0), host_ids[ID_format]);
		xsmcToStringBuffer(value, text, sizeof(text));
		domain->buffers = !strcmp(text, "buffer");
	}
	xsmcSetHostData(xsThis, domain);
}

void storage_install(void* machine)
{
	static const Method methods[] = {
		{ "read", Domain_read, 1 }, { "write", Domain_write, 2 }, { "delete", Domain_delete, 1 },
		{ "close", Domain_close, 0 }, { NULL },
	};
	native_class(machine, "Domain", Domain_constructor, domain_destroy, methods);
}

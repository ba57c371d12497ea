#include <string.h>

#include "classes.h"

#define HOST_STRING(NAME) #NAME,
const char* const host_names[HOST_NAME_COUNT] = { HOST_NAMES(HOST_STRING) };
uint32_t host_ids[HOST_NAME_COUNT];

/* The specifiers of Moddable's modules. `natives` is gone once everything is preloaded. */
const ModuleSource host_modules[] = {
	{ "embedded:io/serial", NULL, "export default natives.Serial;" },
	{ "embedded:io/socket/tcp", NULL, "export default natives.TCP;" },
	{ "embedded:io/socket/udp", NULL, "export default natives.UDP;" },
	{ "embedded:storage/key-value", NULL,
		"const Domain = natives.Domain; export default Object.freeze({ open(options) { return new Domain(options); } });" },
	{ "timer", NULL, "export default natives.Timer;" },
	{ "time", NULL, "export default natives.Time;" },
	{ "host", NULL,
		"export default natives.Host;"
		"export const Serial = natives.Serial, TCP = natives.TCP, UDP = natives.UDP, Timer = natives.Timer,"
		"Time = natives.Time; export { default as Storage } from 'embedded:storage/key-value';" },
};
const int host_moduleCount = sizeof(host_modules) / sizeof(host_modules[0]);

static void addMethods(xsMachine* the, int target, const Method* methods)
{
	for (; methods->name; methods++) {
		bool getter = !strncmp(methods->name, "get ", 4);
		const char* name = getter ? methods->name + 4 : methods->name;
		xsVar(3) = xsNewHostFunction(methods->callback, methods->length);
		xsmcDefine(xsVar(target), xsID(name), xsVar(3), xsDontEnum | (getter ? xsIsGetter : 0));
	}
}

static void define(xsMachine* the, const char* name, int from)
{
	xsIdentifier natives = xsID("natives");
	if (!xsmcHas(xsGlobal, natives)) {
		xsVar(2) = xsmcNewObject();
		xsmcSet(xsGlobal, natives, xsVar(2));
	}
	xsmcGet(xsVar(2), xsGlobal, natives);
	xsmcSet(xsVar(2), xsID(name), xsVar(from));
}

void native_object(void* machine, const char* name, const Method* methods)
{
	xsBeginHost(machine);
	xsmcVars(4);
	xsVar(0) = xsmcNewObject();
	addMethods(the, 0, methods);
	define(the, name, 0);
	xsEndHost(machine);
}

void native_class(void* machine, const char* name, xsCallback constructor, xsDestructor destructor, const Method* methods)
{
	xsBeginHost(machine);
	xsmcVars(4);
	xsVar(0) = xsNewHostObject(destructor);
	addMethods(the, 0, methods);
	xsVar(1) = xsNewHostConstructor(constructor, 1, xsVar(0));
	define(the, name, 1);
	xsEndHost(machine);
}

void native_onDevice(xsMachine* the)
{
	if (machine_isRoot(the))
		xsTypeError("native call while preloading: it could not be stored in flash");
}

void native_construct(xsMachine* the)
{
	native_onDevice(the);
	if (xsmcTypeOf(xsTarget) == xsUndefinedType)
		xsTypeError("call: class");
	xsmcVars(1);
	xsmcGet(xsVar(0), xsTarget, host_ids[ID_prototype]);
	xsThis = xsmcNewHostInstance(xsVar(0));
	xsResult = xsThis;
}

static void fetchCallback(xsMachine* the, xsSlot* callback, int id)
{
	*callback = xsUndefined;
	if (!xsmcHas(xsArg(0), host_ids[id]))
		return;
	xsmcGet(*callback, xsArg(0), host_ids[id]);
	if (xsmcTypeOf(*callback) != xsUndefinedType && !xsmcIsCallable(*callback))
		xsTypeError("callback is no function");
}

void callbacks_open(xsMachine* the, Callbacks* callbacks, void* data, const xsHostHooks* hooks)
{
	fetchCallback(the, &callbacks->onReadable, ID_onReadable);
	fetchCallback(the, &callbacks->onWritable, ID_onWritable);
	fetchCallback(the, &callbacks->onError, ID_onError);
	if (xsmcHas(xsArg(0), host_ids[ID_target])) {
		xsSlot target;
		xsmcGet(target, xsArg(0), host_ids[ID_target]);
		xsmcSet(xsThis, host_ids[ID_target], target);
	}
	xsmcSetHostData(xsThis, data);
	xsSetHostHooks(xsThis, (xsHostHooks*)hooks);
	callbacks->object = xsThis;
	xsRemember(callbacks->object);
}

void callbacks_mark(xsMachine* the, Callbacks* callbacks, xsMarkRoot mark)
{
	(*mark)(the, &callbacks->onReadable);
	(*mark)(the, &callbacks->onWritable);
	(*mark)(the, &callbacks->onError);
}

void callbacks_close(xsMachine* the, Callbacks* callbacks)
{
	xsmcSetHostData(callbacks->object, NULL);
	xsForget(callbacks->object);
}

bool callbacks_call(void* machine, Callbacks* callbacks, xsSlot* callback, int count)
{
	xsMachine* the = machine;
	if (xsmcTypeOf(*callback) == xsUndefinedType)
		return false;
	xsBeginHost(machine);
	xsmcVars(3);
	/* Copies on the stack: the callback may close the object, and the record with it. */
	xsVar(0) = callbacks->object;
	xsVar(1) = *callback;
	if (count < 0)
		xsCallFunction0(xsVar(1), xsVar(0));
	else {
		xsmcSetInteger(xsVar(2), count);
		xsCallFunction1(xsVar(1), xsVar(0), xsVar(2));
	}
	xsEndHost(machine);
	return true;
}

int option_integer(xsMachine* the, int id, int missing)
{
	xsSlot value;
	if (!xsmcHas(xsArg(0), host_ids[id]))
		return missing;
	xsmcGet(value, xsArg(0), host_ids[id]);
	return xsmcTypeOf(value) == xsUndefinedType ? missing : xsmcToInteger(value);
}

int read_request(xsMachine* the, int available, uint8_t** into)
{
	int wanted = available;
	if (xsmcArgc > 0 && xsmcTypeOf(xsArg(0)) == xsReferenceType) {
		void* buffer;
		xsUnsignedValue size;
		xsmcGetBufferWritable(xsArg(0), &buffer, &size);
		if (wanted > (int)size)
			wanted = (int)size;
		*into = buffer;
		xsmcSetInteger(xsResult, wanted);
		return wanted;
	}
	if (xsmcArgc > 0 && xsmcTypeOf(xsArg(0)) != xsUndefinedType) {
		int count = xsmcToInteger(xsArg(0));
		if (count <= 0)
			xsRangeError("invalid count");
		if (wanted > count)
			wanted = count;
	}
	*into = xsmcSetArrayBuffer(xsResult, NULL, wanted);
	return wanted;
}

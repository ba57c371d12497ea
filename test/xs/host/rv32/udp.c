/* `embedded:io/socket/udp`: there is none, as qemu's serial ports carry streams. */
#include "../classes.h"

static void UDP_constructor(xsMachine* the)
{
	native_onDevice(the);
	xsUnknownError("no UDP on this board");
}

void udp_install(void* machine)
{
	static const Method methods[] = { { NULL } };
	native_class(machine, "UDP", UDP_constructor, source_destroy, methods);
}

/*
 * What a test asks of a device that runs, between callbacks and outside of its heap: lines on a wire.
 *
 *   mark LABEL     as Host.mark()            census LABEL   as Host.census()
 *   live 0|1       collect at every allocation, or no more (stress build only)
 *   call N         calls what Host.onCommand() was given, with the number
 *   exit           ends the host
 */
#include <stdlib.h>
#include <string.h>

#include "classes.h"

enum { LINES = 1024 };

typedef struct {
	Source source;
	char text[LINES];
	int count;
} Control;

static xsSlot command;
static bool hasCommand = false;

static short control_wants(Source* source)
{
	return ((Control*)source)->count < LINES ? WIRE_READABLE : 0;
}

static void control_ready(Source* source, short events)
{
	Control* control = (Control*)source;
	int count = wire_read(source->wire, control->text + control->count, LINES - control->count);
	if (count >= 0)
		control->count += count;
	else
		/* Whoever was in command is gone. */
		source->dead = true;
}

static void call(xsMachine* machine, int number)
{
	if (!hasCommand)
		return;
	xsBeginHost(machine);
	xsmcVars(1);
	xsmcSetInteger(xsVar(0), number);
	xsCallFunction1(command, xsGlobal, xsVar(0));
	xsEndHost(machine);
}

static bool control_deliver(Source* source, void* machine)
{
	Control* control = (Control*)source;
	char* end = memchr(control->text, '\n', control->count);
	char line[LINES];
	char* argument;
	int length;
	if (!end)
		return false;
	length = (int)(end - control->text);
	memcpy(line, control->text, length);
	line[length] = 0;
	control->count -= length + 1;
	memmove(control->text, end + 1, control->count);
	argument = strchr(line, ' ');
	if (argument)
		*argument++ = 0;
	else
		argument = "";
	if (!strcmp(line, "mark"))
		system_mark(machine, argument);
	else if (!strcmp(line, "census")) {
		machine_collect(machine);
		system_census(machine, argument);
	}
	else if (!strcmp(line, "live"))
		machine_stress(*argument == '1');
	else if (!strcmp(line, "call"))
		call(machine, atoi(argument));
	else if (!strcmp(line, "exit"))
		loop_stop();
	else
		fprintf(stderr, "xs-host: no such command: %s\n", line);
	return true;
}

static void control_release(Source* source)
{
	wire_close(source->wire);
	free(source);
}

void control_open(const char* wire)
{
	Control* control = calloc(1, sizeof(Control));
	control->source.wire = wire_open(wire);
	if (control->source.wire < 0)
		exit(2);
	control->source.wants = control_wants;
	control->source.ready = control_ready;
	control->source.deliver = control_deliver;
	control->source.release = control_release;
	loop_add(&control->source);
}

/** onCommand(callback): callback(number) for every `call`. */
void Host_onCommand(xsMachine* the)
{
	native_onDevice(the);
	if (hasCommand)
		xsForget(command);
	command = xsArg(0);
	hasCommand = true;
	xsRemember(command);
}

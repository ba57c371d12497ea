/*
 * Clock, timers and the one loop that everything runs from. One callback at a time, all promise jobs after each, as
 * the device's message queue has it.
 */
#include <stdlib.h>
#include <string.h>

#include "classes.h"

static Source* sources = NULL;
static bool virtualTime = false;
static int64_t virtualNow = 0;
static double slowness = 0;
static bool stopped = false;
static int64_t engineTime = 0;

/* In virtual time, how many microseconds a peer may take to answer before time is taken to the next timer. */
enum { GRACE = 2000 };

int64_t clock_now(void)
{
	static int64_t start = 0;
	if (virtualTime)
		return virtualNow;
	if (!start)
		start = platform_clock();
	return platform_clock() - start;
}

void loop_virtualTime(bool on)
{
	virtualTime = on;
}

void loop_slowness(double factor)
{
	slowness = factor;
}

void source_destroy(void* data)
{
	if (data)
		((Source*)data)->dead = true;
}

int64_t loop_engineTime(void)
{
	return engineTime;
}

void loop_add(Source* source)
{
	Source** address = &sources;
	while (*address)
		address = &(*address)->next;
	*address = source;
}

/* ---- timers ---- */

typedef struct Timer Timer;
struct Timer {
	Timer* next;
	int64_t when;
	int64_t interval; /* microseconds, 0 = once */
	bool scheduled;
	xsSlot object;
	xsSlot callback;
};
static Timer* timers = NULL;

static void timer_mark(xsMachine* the, void* data, xsMarkRoot mark)
{
	Timer* timer = data;
	if (timer)
		(*mark)(the, &timer->callback);
}

static const xsHostHooks timerHooks = { NULL, timer_mark, NULL };

static int64_t interval(xsMachine* the, int index)
{
	double milliseconds = xsmcToNumber(xsArg(index));
	return milliseconds > 0 ? (int64_t)(milliseconds * 1000) : 0;
}

static void timer_start(xsMachine* the, int64_t first, int64_t repeat)
{
	Timer* timer;
	Timer** address = &timers;
	native_onDevice(the);
	if (xsmcArgc < 1 || !xsmcIsCallable(xsArg(0)))
		xsTypeError("callback is no function");
	timer = calloc(1, sizeof(Timer));
	timer->when = clock_now() + first;
	timer->interval = repeat;
	timer->scheduled = true;
	timer->callback = xsArg(0);
	xsResult = xsNewHostObject(NULL);
	xsmcSetHostData(xsResult, timer);
	xsSetHostHooks(xsResult, (xsHostHooks*)&timerHooks);
	timer->object = xsResult;
	xsRemember(timer->object);
	while (*address)
		address = &(*address)->next;
	*address = timer;
}

static void timer_forget(xsMachine* the, Timer* timer)
{
	Timer** address = &timers;
	while (*address && *address != timer)
		address = &(*address)->next;
	if (*address)
		*address = timer->next;
	xsmcSetHostData(timer->object, NULL);
	xsForget(timer->object);
	free(timer);
}

static void Timer_set(xsMachine* the)
{
	int64_t first = xsmcArgc > 1 ? interval(the, 1) : 0;
	timer_start(the, first, xsmcArgc > 2 ? interval(the, 2) : 0);
}

static void Timer_repeat(xsMachine* the)
{
	int64_t every = interval(the, 1);
	timer_start(the, every, every);
}

static Timer* timer_argument(xsMachine* the)
{
	if (xsmcArgc < 1 || xsmcTypeOf(xsArg(0)) != xsReferenceType)
		return NULL;
	if (xsGetHostHooks(xsArg(0)) != &timerHooks)
		return NULL;
	return xsmcGetHostData(xsArg(0));
}

static void Timer_schedule(xsMachine* the)
{
	Timer* timer = timer_argument(the);
	if (!timer)
		xsTypeError("no timer");
	timer->scheduled = xsmcArgc > 1;
	if (!timer->scheduled)
		return;
	timer->when = clock_now() + interval(the, 1);
	timer->interval = xsmcArgc > 2 ? interval(the, 2) : 0;
}

static void Timer_clear(xsMachine* the)
{
	Timer* timer = timer_argument(the);
	if (timer)
		timer_forget(the, timer);
}

static void Time_ticks(xsMachine* the)
{
	xsmcSetInteger(xsResult, (int32_t)(clock_now() / 1000));
}

void timer_install(void* machine)
{
	static const Method timerMethods[] = {
		{ "set", Timer_set, 3 }, { "repeat", Timer_repeat, 2 }, { "schedule", Timer_schedule, 3 },
		{ "clear", Timer_clear, 1 }, { NULL },
	};
	static const Method timeMethods[] = { { "get ticks", Time_ticks, 0 }, { NULL } };
	native_object(machine, "Timer", timerMethods);
	native_object(machine, "Time", timeMethods);
}

static Timer* timer_earliest(void)
{
	Timer* timer;
	Timer* earliest = NULL;
	for (timer = timers; timer; timer = timer->next)
		if (timer->scheduled && (!earliest || timer->when < earliest->when))
			earliest = timer;
	return earliest;
}

static bool timer_fire(xsMachine* machine)
{
	Timer* timer = timer_earliest();
	if (!timer || timer->when > clock_now())
		return false;
	xsBeginHost(machine);
	{
		bool once = timer->interval == 0;
		xsmcVars(1);
		xsVar(0) = timer->object;
		if (once)
			timer->scheduled = false;
		else
			timer->when += timer->interval;
		xsCallFunction1(timer->callback, xsGlobal, xsVar(0));
		/* It may have been cleared, or scheduled anew, by its own callback. */
		timer = xsmcGetHostData(xsVar(0));
		if (timer && !timer->scheduled)
			timer_forget(the, timer);
	}
	xsEndHost(machine);
	return true;
}

/* ---- the loop ---- */

void loop_stop(void)
{
	stopped = true;
}

static void advanceAll(int64_t now, bool deaf)
{
	Source* source;
	for (source = sources; source; source = source->next)
		if (!source->dead && source->advance)
			source->advance(source, now, deaf);
}

static void bury(void)
{
	Source** address = &sources;
	Source* source;
	while ((source = *address)) {
		if (source->dead) {
			*address = source->next;
			source->release(source);
		}
		else
			address = &source->next;
	}
}

static int64_t nextDue(void)
{
	int64_t due = INT64_MAX;
	Timer* timer = timer_earliest();
	Source* source;
	if (timer)
		due = timer->when;
	for (source = sources; source; source = source->next) {
		int64_t at = source->dead || !source->due ? INT64_MAX : source->due(source);
		if (at < due)
			due = at;
	}
	return due;
}

/** Waits for I/O until `until` at most and lets the sources move their bytes. */
static void wait(int64_t until)
{
	Waiting waiting[32];
	Source* asked[32];
	int count = 0, happened, i;
	int64_t left = until == INT64_MAX ? -1 : until - clock_now(), timeout;
	Source* source;
	for (source = sources; source && count < 32; source = source->next) {
		short events = source->dead || source->wire < 0 ? 0 : source->wants(source);
		if (!events)
			continue;
		waiting[count] = (Waiting){ .wire = source->wire, .wants = events };
		asked[count++] = source;
	}
	if (until == INT64_MAX)
		timeout = -1;
	else if (left <= 0 || (virtualTime && !count))
		timeout = 0;
	else
		timeout = virtualTime ? GRACE : left;
	happened = platform_wait(waiting, count, timeout);
	if (virtualTime && happened <= 0 && left > 0)
		virtualNow = until;
	if (happened <= 0)
		return;
	for (i = 0; i < count; i++)
		if (waiting[i].happened)
			asked[i]->ready(asked[i], waiting[i].happened);
}

/** What a callback cost here, stretched to what it would cost there: meanwhile lines go on and nobody reads them. */
static void payFor(int64_t cpu)
{
	int64_t until;
	if (slowness <= 0)
		return;
	until = clock_now() + (int64_t)((double)cpu * slowness);
	if (virtualTime)
		virtualNow = until;
	else
		while (clock_now() < until) {
			wait(until);
			advanceAll(clock_now(), true);
		}
	advanceAll(until, true);
}

static bool deliverOne(xsMachine* machine)
{
	Source** address;
	Source* source;
	if (timer_fire(machine))
		return true;
	for (address = &sources; (source = *address); address = &source->next) {
		if (source->dead || !source->deliver(source, machine))
			continue;
		/* To the end of the list, so that a busy port cannot starve the others. */
		for (address = &sources; *address != source; address = &(*address)->next)
			;
		*address = source->next;
		source->next = NULL;
		loop_add(source);
		return true;
	}
	return false;
}

void loop_run(void* machine)
{
	int64_t cpu = platform_processorTime();
	machine_runJobs(machine);
	while (!stopped) {
		bool delivered;
		cpu = platform_processorTime() - cpu;
		engineTime += cpu;
		payFor(cpu);
		advanceAll(clock_now(), false);
		cpu = platform_processorTime();
		delivered = deliverOne(machine);
		if (delivered)
			machine_runJobs(machine);
		bury();
		if (stopped || delivered)
			continue;
		/* Nothing can happen any more: the script has ended. (A device would idle for ever.) */
		if (!sources && !timers)
			break;
		wait(nextDue());
		cpu = platform_processorTime();
	}
}

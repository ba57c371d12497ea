/*
 * What the engine asks of its platform (XSPLATFORM): a plain POSIX process, 32-bit like the device wherever gcc can
 * do that, or a bare board with picolibc. Memory, promise jobs, modules and abort are ours: machine.c.
 */
#ifndef XS_HOST_PLATFORM_H
#define XS_HOST_PLATFORM_H

#if defined(__unix__) || defined(__APPLE__)
#undef mxLinux
#define mxLinux 1
#include <arpa/inet.h>
#include <pthread.h>
#define mxUseGCCAtomics 1
#define mxUsePOSIXThreads 1
#else
#include <machine/endian.h>
#endif

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define mxUseDefaultBuildKeys 1
#define mxUseDefaultParseScript 1
#define mxUseDefaultSharedChunks 1

struct Heap;

#define mxMachinePlatform \
	struct Heap* heap; \
	void* waiterCondition; \
	void* waiterData; \
	void* waiterLink;

#endif

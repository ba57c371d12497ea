/*
 * What goes out of the board by semihosting, all of it through one console, a line at a time. What begins a line says
 * which stream it is of: nothing log, STX complaints, RS figures. And what the C library leaves to the system.
 */
#include <errno.h>
#include <semihost.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../host.h"

typedef struct {
	FILE file; /* first: what put() is given */
	char mark;
	bool within; /* a line */
	int count;
	char text[256];
} Stream;

static int flush(FILE* file)
{
	Stream* stream = (Stream*)file;
	stream->text[stream->count] = 0;
	if (stream->count)
		sys_semihost_write0(stream->text);
	stream->count = 0;
	return 0;
}

static int put(char character, FILE* file)
{
	Stream* stream = (Stream*)file;
	if (!stream->within && stream->mark)
		stream->text[stream->count++] = stream->mark;
	stream->within = character != '\n';
	stream->text[stream->count++] = character;
	/* One character is room for a mark, one for the end. */
	if (!stream->within || stream->count >= (int)sizeof(stream->text) - 2)
		flush(file);
	return (unsigned char)character;
}

static Stream output = { .file = FDEV_SETUP_STREAM(put, NULL, flush, _FDEV_SETUP_WRITE) };
static Stream complaints = { .file = FDEV_SETUP_STREAM(put, NULL, flush, _FDEV_SETUP_WRITE), .mark = 2 };
static Stream figures = { .file = FDEV_SETUP_STREAM(put, NULL, flush, _FDEV_SETUP_WRITE), .mark = 30 };

FILE* const stdin = NULL;
FILE* const stdout = &output.file;
FILE* const stderr = &complaints.file;

FILE* platform_results(int fd)
{
	return fd < 0 ? NULL : &figures.file;
}

/* ---- files: those of the machine that qemu runs on ---- */

int rename(const char* from, const char* to)
{
	return (int)sys_semihost_rename(from, to);
}

/** Every write goes straight to a file there, which survives the board's end. */
int fsync(int fd)
{
	return 0;
}

/** Semihosting knows no directories: whoever starts qemu makes them. */
int mkdir(const char* path, mode_t mode)
{
	errno = ENOSYS;
	return -1;
}

char* mkdtemp(char* template)
{
	errno = ENOSYS;
	return NULL;
}

/* The host as a process: its clocks, and file descriptors for wires. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../host.h"

static int64_t microseconds(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t platform_clock(void)
{
	return microseconds(CLOCK_MONOTONIC);
}

int64_t platform_processorTime(void)
{
	return microseconds(CLOCK_PROCESS_CPUTIME_ID);
}

FILE* platform_results(int fd)
{
	return fd < 0 ? NULL : fdopen(fd, "w");
}

int platform_wait(Waiting* waiting, int count, int64_t microseconds)
{
	struct pollfd fds[32];
	int happened, i;
	for (i = 0; i < count; i++) {
		fds[i].fd = waiting[i].wire;
		fds[i].events = (waiting[i].wants & WIRE_READABLE ? POLLIN : 0) | (waiting[i].wants & WIRE_WRITABLE ? POLLOUT : 0);
		waiting[i].happened = 0;
	}
	happened = poll(fds, count, microseconds < 0 ? -1 : (int)((microseconds + 999) / 1000));
	if (happened <= 0)
		return happened;
	for (i = 0; i < count; i++) {
		/* Whoever reads, or writes, is told of the end by it. */
		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			waiting[i].happened |= WIRE_READABLE;
		if (fds[i].revents & (POLLOUT | POLLHUP | POLLERR))
			waiting[i].happened |= WIRE_WRITABLE;
	}
	return happened;
}

static int nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

/* ---- cables ---- */

static int openTty(const char* path)
{
	struct termios settings;
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && tcgetattr(fd, &settings) == 0) {
		cfmakeraw(&settings);
		tcsetattr(fd, TCSANOW, &settings);
	}
	return fd;
}

static int openTcp(const char* where)
{
	char host[128];
	const char* colon = strrchr(where, ':');
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int fd, on = 1;
	if (!colon || (size_t)(colon - where) >= sizeof(host))
		return -1;
	memcpy(host, where, colon - where);
	host[colon - where] = 0;
	if (getaddrinfo(host, colon + 1, &hints, &found))
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

int wire_open(const char* wire)
{
	int fd = -1;
	if (!strncmp(wire, "tty:", 4))
		fd = openTty(wire + 4);
	else if (!strncmp(wire, "tcp:", 4))
		fd = openTcp(wire + 4);
	else if (!strncmp(wire, "fd:", 3))
		fd = atoi(wire + 3);
	if (fd < 0)
		fprintf(stderr, "xs-host: cannot open %s: %s\n", wire, strerror(errno));
	else
		nonblocking(fd);
	return fd;
}

/* ---- TCP ---- */

int wire_connect(const char* host, int port, bool named)
{
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd, on = 1;
	/* IPv4, as the device. */
	if (inet_pton(AF_INET, host, &where.sin_addr) != 1) {
		struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
		if (!named || getaddrinfo(host, NULL, &hints, &found))
			return -1;
		where.sin_addr = ((struct sockaddr_in*)found->ai_addr)->sin_addr;
		freeaddrinfo(found);
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	nonblocking(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Refused at once or later is all the same: wire_connected() tells. */
	(void)connect(fd, (struct sockaddr*)&where, sizeof(where));
	return fd;
}

bool wire_connected(int wire)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	return getpeername(wire, (struct sockaddr*)&peer, &size) == 0;
}

/* ---- both ---- */

int wire_read(int wire, void* into, int size)
{
	int count = (int)read(wire, into, size);
	if (count > 0)
		return count;
	return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

int wire_write(int wire, const void* from, int size)
{
	int count = (int)write(wire, from, size);
	return count >= 0 ? count : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

void wire_close(int wire)
{
	close(wire);
}

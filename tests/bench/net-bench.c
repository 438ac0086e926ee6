/*
 * The measuring half of the network's benchmark; network.sh drives it.
 *
 *     net-bench serve PORT                 accepts and closes, for ever
 *     net-bench send PORT SECONDS          to each client as much as it takes, for ever
 *     net-bench connects ADDRESS PORT N    the median time of a connect() in µs
 *     net-bench carry ADDRESS PORT         GB/s that a sender's one stream brings here
 *     net-bench tunnel ADDRESS PORT TARGET AUTHORIZATION
 *                                          the same by CONNECT TARGET through an HTTP proxy
 *     net-bench memory PID...              kB of VmRSS and of Pss, summed
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_COUNT 20000
#define BLOCK     (1 << 18)

static char block[BLOCK];

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in place(const char *address, const char *port)
{
	struct sockaddr_in made = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};

	if (inet_pton(AF_INET, address, &made.sin_addr) != 1)
		die(address);
	return made;
}

static int listen_at(const char *port)
{
	const struct sockaddr_in address = place("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

static int serve(const char *port, double seconds)
{
	int server = listen_at(port), fd;

	while ((fd = accept(server, NULL, NULL)) >= 0) {
		double end = now_us() + seconds * 1e6;

		while (now_us() < end)
			if (send(fd, block, sizeof(block), MSG_NOSIGNAL) <= 0)
				break;
		close(fd);
	}
	return 1;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int connects(const struct sockaddr_in *address, int count)
{
	static double times[MAX_COUNT];

	for (int i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		double start = now_us();

		if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
			die("connect");
		times[i] = now_us() - start;
		close(fd);
	}
	qsort(times, (size_t)count, sizeof(*times), ascending);
	printf("%.1f\n", times[count / 2]);
	return 0;
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		die("connect");
	return fd;
}

static int carry(int fd)
{
	double start = now_us(), sum = 0;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		sum += (double)n;
	printf("%.3f\n", sum / (now_us() - start) / 1e3);
	return 0;
}

static int tunnel(const struct sockaddr_in *proxy, const char *target, const char *authorization)
{
	int fd = connect_to(proxy), matched = 0;
	char byte;

	dprintf(fd, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic %s\r\n\r\n",
		target, target, authorization);
	while (matched < 4) {
		if (recv(fd, &byte, 1, 0) != 1)
			die("the proxy's answer");
		matched = byte == "\r\n\r\n"[matched] ? matched + 1 : byte == '\r';
	}
	return carry(fd);
}

static long field(const char *pid, const char *file, const char *name)
{
	char path[64], line[256];
	long value = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, file);
	stream = fopen(path, "r");
	while (stream && fgets(line, sizeof(line), stream))
		if (!strncmp(line, name, strlen(name)))
			value = strtol(line + strlen(name), NULL, 10);
	if (stream)
		fclose(stream);
	return value;
}

static int memory(char **pids)
{
	long resident = 0, proportional = 0;

	for (; *pids; pids++) {
		resident += field(*pids, "status", "VmRSS:");
		proportional += field(*pids, "smaps_rollup", "Pss:");
	}
	printf("%ld %ld\n", resident, proportional);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;

	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2], 0);
	if (argc == 4 && !strcmp(argv[1], "send"))
		return serve(argv[2], strtod(argv[3], NULL));
	if (argc > 2 && !strcmp(argv[1], "memory"))
		return memory(argv + 2);
	if (argc < 4)
		return 2;
	address = place(argv[2], argv[3]);
	if (argc == 5 && !strcmp(argv[1], "connects") && strtol(argv[4], NULL, 10) <= MAX_COUNT)
		return connects(&address, (int)strtol(argv[4], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "carry"))
		return carry(connect_to(&address));
	if (argc == 6 && !strcmp(argv[1], "tunnel"))
		return tunnel(&address, argv[4], argv[5]);
	return 2;
}

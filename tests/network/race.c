/*
 * What a hostile second thread can do to a call that the gate decides:
 *
 *     race swap-address|swap-descriptor|swap-listen TRIES ADDRESS PORT OUTSIDE_PORT
 *
 * ADDRESS:PORT and 127.0.0.1:OUTSIDE_PORT are not allowed; a server of its own on 127.0.0.1 is.
 * Says how many calls went which way; what was reached, the servers know. Exits 1 if a socket
 * listens on all addresses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in places[3];
static struct sockaddr_in shared;
static atomic_bool over;
static int target, sources[4];

static struct sockaddr_in place(const char *address, unsigned port)
{
	struct sockaddr_in made = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, address, &made.sin_addr);
	return made;
}

static int own_server(void)
{
	socklen_t len = sizeof(places[0]);
	int server = socket(AF_INET, SOCK_STREAM, 0);

	places[0] = place("127.0.0.1", 0);
	if (bind(server, (struct sockaddr *)&places[0], len) < 0 || listen(server, 64) < 0 ||
		getsockname(server, (struct sockaddr *)&places[0], &len) < 0) {
		perror("own server");
		exit(2);
	}
	return server;
}

static void *accept_all(void *server)
{
	while (!over) {
		int fd = accept(*(int *)server, NULL, NULL);

		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void *swap_address(void *unused)
{
	(void)unused;
	for (unsigned i = 0; !over; i++) {
		memcpy(&shared, &places[i % 3], sizeof(shared));
		for (volatile unsigned wait = 0; wait < (i * 7919) % 4000; wait++)
			;
	}
	return NULL;
}

static void *swap_descriptor(void *unused)
{
	(void)unused;
	for (unsigned i = 0; !over; i++) {
		dup2(sources[i % 4], target);
		for (volatile unsigned wait = 0; wait < (i * 7919) % 4000; wait++)
			;
	}
	return NULL;
}

static void count(unsigned counts[2], int r)
{
	counts[r == 0]++;
}

static void race_address(long tries)
{
	unsigned counts[2] = {0};

	for (long i = 0; i < tries; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		count(counts, connect(fd, (struct sockaddr *)&shared, sizeof(shared)));
		close(fd);
	}
	printf("%ld tries: %u connected, %u refused\n", tries, counts[1], counts[0]);
}

static void make_sources(void)
{
	for (int i = 0; i < 4; i++)
		close(sources[i]);
	sources[0] = socket(AF_INET, SOCK_STREAM, 0);
	sources[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	sources[2] = socket(AF_INET6, SOCK_STREAM, 0);
	sources[3] = socket(AF_INET, SOCK_DGRAM, 0);
}

static void race_descriptor(long tries)
{
	unsigned counts[2] = {0};

	for (long i = 0; i < tries; i++) {
		const struct sockaddr_in *to = &places[i % 3];

		if (i % 16 == 0)
			make_sources();
		count(counts, connect(target, (const struct sockaddr *)to, sizeof(*to)));
	}
	printf("%ld tries: %u connected, %u refused\n", tries, counts[1], counts[0]);
}

static int listens_on_all(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);
	struct sockaddr_in6 bound = {0};
	socklen_t bound_len = sizeof(bound);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens ||
		getsockname(fd, (struct sockaddr *)&bound, &bound_len) < 0)
		return 0;
	if (bound.sin6_family == AF_INET)
		return !((struct sockaddr_in *)&bound)->sin_addr.s_addr;
	return bound.sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&bound.sin6_addr);
}

static void race_listen(long tries)
{
	unsigned counts[2] = {0};

	for (long i = 0; i < tries; i++) {
		make_sources();
		count(counts, listen(target, 1));
		for (int at = 0; at < 4; at++)
			if (listens_on_all(sources[at])) { /* target is one of them */
				printf("listens on all addresses\n");
				exit(1);
			}
	}
	printf("%ld tries: %u listen, %u refused\n", tries, counts[1], counts[0]);
}

int main(int argc, char **argv)
{
	pthread_t swapper, server_thread;
	long tries = argc == 6 ? strtol(argv[2], NULL, 10) : 0;
	int server;

	if (!tries)
		return 2;
	server = own_server();
	places[1] = place(argv[3], (unsigned)strtoul(argv[4], NULL, 10));
	places[2] = place("127.0.0.1", (unsigned)strtoul(argv[5], NULL, 10));
	shared = places[0];
	target = socket(AF_INET, SOCK_STREAM, 0);
	for (int i = 0; i < 4; i++)
		sources[i] = -1;
	make_sources();
	pthread_create(&server_thread, NULL, accept_all, &server);
	pthread_create(&swapper, NULL,
		!strcmp(argv[1], "swap-address") ? swap_address : swap_descriptor, NULL);
	if (!strcmp(argv[1], "swap-address"))
		race_address(tries);
	else if (!strcmp(argv[1], "swap-descriptor"))
		race_descriptor(tries);
	else
		race_listen(tries);
	fflush(stdout);
	_exit(0);
}

/*
 * For measuring: proxy-serve PORT serves the proxy to every client of 127.0.0.1:PORT; with bulk it
 * prints what one stream carries directly and through it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pen.h"

#define BULK (4ULL << 30)

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void *send_bulk(void *context)
{
	static char bytes[1 << 18];
	int fd = *(int *)context;

	for (uint64_t sum = 0; sum < BULK;) {
		ssize_t n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sum += (uint64_t)n;
	}
	close(fd);
	return NULL;
}

/* GB/s from one end to the other */
static double carry(int from, int to)
{
	static char bytes[1 << 18];
	double start = now();
	uint64_t sum = 0;
	pthread_t thread;
	ssize_t n;

	pthread_create(&thread, NULL, send_bulk, &from);
	while ((n = recv(to, bytes, sizeof(bytes), 0)) > 0)
		sum += (uint64_t)n;
	pthread_join(thread, NULL);
	close(to);
	return (double)sum / (now() - start) / 1e9;
}

static void bulk(struct pen *pen)
{
	unsigned port;
	int server = tcp_listen(&port), client;
	double direct, relayed, plain;
	char request[128];

	client = tcp_connect(port);
	direct = carry(tcp_accept(server), client);
	client = pen_client(pen, LP_PACKET_NAMED, "ok.test", port);
	relayed = carry(tcp_accept(server), client);
	client = pen_client(pen, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	snprintf(request, sizeof(request), "GET http://ok.test:%u/ HTTP/1.1\r\n\r\n", port);
	say(client, request);
	server = tcp_accept(server);
	hear(server, "\r\n\r\n");
	say(server, "HTTP/1.1 200 OK\r\n\r\n");
	plain = carry(server, client);
	printf("one stream: direct %.2f GB/s, relayed %.2f (%.2f), plain HTTP %.2f (%.2f)\n",
		direct, relayed, relayed / direct, plain, plain / direct);
}

int main(int argc, char **argv)
{
	struct lp_policy *policy = pen_policy(0);
	struct pen pen;
	uint64_t port;

	pen_start(&pen, policy);
	printf("idle: VmRSS %lu kB, RssAnon %lu kB\n", memory_of(pen.proxy, "VmRSS"),
		memory_of(pen.proxy, "RssAnon"));
	fflush(stdout);
	if (argc > 1 && lp_parse_u64(argv[1], &port) == 0) {
		int listener = tcp_listen_at((unsigned)port), fd;

		while ((fd = accept(listener, NULL, NULL)) >= 0) {
			lp_packet_send(
				pen.gate, &(struct lp_packet){.kind = LP_PACKET_EXPLICIT}, fd);
			close(fd);
		}
	}
	bulk(&pen);
	return pen_stop(&pen);
}

/*
 * The proxy under load and in trouble: many idle connections, peers that do not read, clients that
 * do not write, a resolver that is silent or gone, a gate that ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pen.h"

#define IDLE_COUNT 10000
#define PERIOD     251

/* AddressSanitizer pads and keeps what malloc() gave */
#ifdef __SANITIZE_ADDRESS__
#define IDLE_BYTES 4000
#else
#define IDLE_BYTES 400
#endif

static int server; /* listens */
static unsigned port;
static struct lp_policy *policy;

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Whether bytes make the round trip. */
static void assert_alive(struct pen *pen)
{
	lp_autoclose int client = pen_client(pen, LP_PACKET_NAMED, "ok.test", port);
	lp_autoclose int upstream = tcp_accept(server);

	assert_true(upstream >= 0);
	say(client, "ping");
	assert_string_equal(hear(upstream, "ping"), "ping");
	say(upstream, "pong");
	assert_string_equal(hear(client, "pong"), "pong");
}

static void test_idle(void **state)
{
	static int clients[IDLE_COUNT], upstreams[IDLE_COUNT];
	struct rlimit limit;
	size_t count = IDLE_COUNT;
	unsigned long before, after;
	double start;
	struct pen pen;

	(void)state;
	/* both ends of each are ours, and two descriptors the proxy's: only root gets as many */
	limit.rlim_cur = limit.rlim_max = 4 * IDLE_COUNT;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < 3 * IDLE_COUNT)
		count = (size_t)(limit.rlim_cur - limit.rlim_cur / 100 - 128) / 2;
	pen_start(&pen, policy);
	assert_alive(&pen);
	before = memory_of(pen.proxy, "VmRSS");
	print_message(
		"# idle: VmRSS %lu kB, RssAnon %lu kB\n", before, memory_of(pen.proxy, "RssAnon"));
	for (size_t i = 0; i < count; i++) {
		clients[i] = pen_client(&pen, LP_PACKET_NAMED, "ok.test", port);
		upstreams[i] = tcp_accept(server);
		assert_true(upstreams[i] >= 0);
		/* used once, so that pipes were needed */
		say(clients[i], "x");
		assert_string_equal(hear(upstreams[i], "x"), "x");
	}
	after = memory_of(pen.proxy, "VmRSS");
	print_message("# %zu idle connections%s: %.0f bytes each, VmRSS %lu kB\n", count,
		count < IDLE_COUNT ? ", as many as the hard limit of open files allows" : "",
		(double)(after - before) * 1024 / (double)count, after);
	assert_true((after - before) * 1024 < count * IDLE_BYTES + 65536);
	start = now();
	assert_alive(&pen);
	print_message("# one more, with a round trip: %.1f ms\n", (now() - start) * 1000);
	assert_true(now() - start < 1);
	say(clients[count / 2], "still");
	assert_string_equal(hear(upstreams[count / 2], "still"), "still");
	for (size_t i = 0; i < count; i++) {
		close(clients[i]);
		close(upstreams[i]);
	}
	assert_alive(&pen);
	assert_int_equal(pen_stop(&pen), 0);
}

/* Bytes that tell where in the stream they stand: each is its place modulo PERIOD. */
static const char *stream_at(size_t place)
{
	static char bytes[65536 + PERIOD];

	for (size_t i = bytes[1] ? sizeof(bytes) : 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % PERIOD);
	return bytes + place % PERIOD;
}

/* Writes until nothing has gone through for a while; the bytes written. */
static size_t fill(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	size_t sum = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (poll(&wait, 1, 250) == 1) {
		ssize_t n = send(fd, stream_at(sum), 65536, MSG_NOSIGNAL);

		assert_true(n > 0 || errno == EAGAIN);
		sum += n > 0 ? (size_t)n : 0;
		assert_true(sum < 256U << 20);
	}
	return sum;
}

static size_t drain(int fd, size_t sum, unsigned pause)
{
	static char bytes[65536];
	size_t left = sum, place = 0;

	while (left) {
		ssize_t n = recv(fd, bytes, left < sizeof(bytes) ? left : sizeof(bytes), 0);

		if (n <= 0)
			break;
		if (left == sum)
			place = (unsigned char)bytes[0];
		if (memcmp(bytes, stream_at(place), (size_t)n) != 0)
			fail_msg("other bytes before %zu", sum - left + (size_t)n);
		place += (size_t)n;
		left -= (size_t)n;
		usleep(pause);
	}
	return left;
}

static void test_backpressure(void **state)
{
	struct pen pen;

	(void)state;
	pen_start(&pen, policy);
	for (int i = 0; i < 8; i++) {
		int ends[2];
		size_t sum;

		ends[0] = pen_client(&pen, LP_PACKET_NAMED, "ok.test", port);
		ends[1] = tcp_accept(server);
		assert_true(ends[1] >= 0);
		sum = fill(ends[i % 2]);
		assert_true(sum > 65536);
		assert_alive(&pen);
		/* the other way is open */
		say(ends[!(i % 2)], "other way");
		assert_string_equal(hear(ends[i % 2], "way"), "other way");
		if (i < 4) {
			shutdown(ends[i % 2], SHUT_WR);
			assert_int_equal(drain(ends[!(i % 2)], sum, i < 2 ? 200 : 0), 0);
			assert_int_equal(hear_end(ends[!(i % 2)], 2000), 0);
		}
		close(ends[0]);
		close(ends[1]);
	}
	assert_alive(&pen);
	assert_int_equal(pen_stop(&pen), 0);
}

/* More peers that do not read than there are pipes, and then more connections than may be. */
static void test_few_descriptors(void **state)
{
	enum { FILES = 96, STUCK = 12, MOST = 24 };
	const struct linger reset = {.l_onoff = 1};
	int clients[MOST], upstreams[MOST], refused;
	struct lp_packet denied;
	size_t sums[STUCK];
	struct pen pen;

	(void)state;
	pen_start_small(&pen, policy, FILES);
	for (size_t i = 0; i < MOST; i++) {
		clients[i] = pen_client(&pen, LP_PACKET_NAMED, "ok.test", port);
		upstreams[i] = tcp_accept(server);
		assert_true(upstreams[i] >= 0);
		if (i < STUCK)
			sums[i] = fill(clients[i]);
	}
	say(clients[MOST - 1], "ping");
	assert_string_equal(hear(upstreams[MOST - 1], "ping"), "ping");
	refused = pen_client(&pen, LP_PACKET_NAMED, "ok.test", port);
	assert_int_equal(hear_end(refused, 2000), ECONNRESET);
	assert_true(pen_denied(&pen, &denied));
	assert_non_null(strstr(denied.reason, "too many connections"));
	for (size_t i = 0; i < STUCK; i++)
		assert_int_equal(drain(upstreams[i], sums[i], 0), 0);
	for (size_t i = 0; i < MOST; i++) {
		/* a reset goes through when the proxy has let go of both */
		setsockopt(clients[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(clients[i]);
		assert_int_equal(hear_end(upstreams[i], 2000), ECONNRESET);
		close(upstreams[i]);
	}
	close(refused);
	assert_alive(&pen);
	assert_int_equal(pen_stop(&pen), 0);
}

/* An answer that the client reads slowly or not at all holds 64 KiB, and nobody else. */
static void test_unread_answer(void **state)
{
	static char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
	struct pen pen;
	char request[128];
	unsigned long before;

	(void)state;
	pen_start(&pen, policy);
	assert_alive(&pen);
	before = memory_of(pen.proxy, "RssAnon");
	for (int i = 0; i < 4; i++) {
		lp_autoclose int client = pen_client(&pen, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
		lp_autoclose int upstream = -1;
		size_t sum;

		snprintf(request, sizeof(request), "GET http://ok.test:%u/ HTTP/1.1\r\n\r\n", port);
		say(client, request);
		upstream = tcp_accept(server);
		hear(upstream, "\r\n\r\n");
		say(upstream, head);
		sum = fill(upstream);
		assert_true(memory_of(pen.proxy, "RssAnon") - before < 1024);
		assert_alive(&pen);
		assert_non_null(strstr(hear(client, "\r\n\r\n"), "1000000000"));
		/* hear() may have taken some of the body */
		drain(client, sum - (256U << 10), 100);
	}
	assert_int_equal(pen_stop(&pen), 0);
}

static void assert_ends_after(int fd, double start, double least, double most)
{
	assert_true(hear_end(fd, (int)(most * 1000)) != EAGAIN);
	if (now() - start < least || now() - start > most)
		fail_msg("it ended after %.2f s", now() - start);
}

static void test_slow_clients(void **state)
{
	double start = now();
	int silent, slow, tls, socks;
	struct pen pen;

	(void)state;
	pen_start(&pen, policy);
	silent = pen_client(&pen, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	slow = pen_client(&pen, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	socks = pen_client(&pen, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	tls = pen_client(&pen, LP_PACKET_SNIFF, "203.0.113.1", 443);
	say(slow, "GET http://ok.test/ HTTP/1.1\r\nA: ");
	say(tls, "\x16\x03");
	say(socks, "\5");
	assert_ends_after(tls, start, 2.9, 4);
	assert_ends_after(silent, start, 9.9, 11);
	while (now() - start < 28) {
		say(slow, "a");
		usleep(200000);
	}
	assert_ends_after(socks, start, 29.9, 31);
	assert_ends_after(slow, start, 29.9, 31.5);
	assert_alive(&pen);
	assert_int_equal(pen_stop(&pen), 0);
	close(silent);
	close(slow);
	close(tls);
	close(socks);
}

/* What comes for a connection that has ended, and that the gate has not let go of yet. */
static void test_late_gate(void **state)
{
	struct pen pen;
	int client, accepted;

	(void)state;
	pen_start(&pen, policy);
	client = pen_client_kept(&pen, LP_PACKET_NAMED, "nx.test", port, &accepted);
	assert_alive(&pen); /* it has been looked up in vain by then */
	assert_alive(&pen);
	say(client, "late");
	assert_alive(&pen);
	close(client);
	close(accepted);
	assert_alive(&pen);
	assert_int_equal(pen_stop(&pen), 0);
}

static void test_resolver_gone(void **state)
{
	struct pen pen;
	int connect, named, late;

	(void)state;
	pen_start(&pen, policy);
	connect = pen_client(&pen, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	named = pen_client(&pen, LP_PACKET_NAMED, "silent.test", 80);
	say(connect, "CONNECT silent.test:80 HTTP/1.1\r\n\r\n");
	assert_int_equal(hear_end(named, 300), EAGAIN);
	/* a client that leaves while its name is looked up */
	close(pen_client(&pen, LP_PACKET_NAMED, "silent.test", 80));
	assert_alive(&pen);
	shutdown(pen.resolver, SHUT_RDWR);
	assert_int_equal(hear_end(named, 2000), ECONNRESET);
	assert_string_equal(hear(connect, NULL), "HTTP/1.1 502 Bad Gateway\r\n\r\n");
	late = pen_client(&pen, LP_PACKET_NAMED, "ok.test", port);
	assert_int_equal(hear_end(late, 2000), ECONNRESET);
	close(late);
	/* addresses need no resolver */
	late = pen_client(&pen, LP_PACKET_NAMED, "127.0.0.1", port);
	close(tcp_accept(server));
	assert_int_equal(hear_end(late, 2000), 0);
	assert_int_equal(pen_stop(&pen), 0);
	close(connect);
	close(named);
	close(late);
}

/* A thousand look-ups at once: more than the resolver's socket holds. */
static void test_many_lookups(void **state)
{
	static int clients[1000];
	struct pen pen;

	(void)state;
	pen_start(&pen, policy);
	for (size_t i = 0; i < LP_ARRAY_SIZE(clients); i++)
		clients[i] =
			pen_client(&pen, LP_PACKET_NAMED, i % 2 ? "ok.test" : "silent.test", port);
	for (size_t i = 1; i < LP_ARRAY_SIZE(clients); i += 2) {
		int upstream = tcp_accept(server);

		assert_true(upstream >= 0);
		close(upstream);
	}
	for (size_t i = 0; i < LP_ARRAY_SIZE(clients); i++)
		close(clients[i]);
	assert_alive(&pen);
	assert_int_equal(pen_stop(&pen), 0);
}

static void test_gate_ends(void **state)
{
	struct pen pen;
	int client, upstream;

	(void)state;
	pen_start(&pen, policy);
	client = pen_client(&pen, LP_PACKET_NAMED, "ok.test", port);
	upstream = tcp_accept(server);
	/* packets that mean nothing are passed over */
	lp_packet_send(pen.gate, &(struct lp_packet){.kind = LP_PACKET_EXPLICIT}, -1);
	lp_packet_send(pen.gate, &(struct lp_packet){.kind = LP_PACKET_QUERIES}, client);
	assert_int_equal(send(pen.gate, "short", 5, 0), 5);
	assert_alive(&pen);
	assert_int_equal(pen_stop(&pen), 0);
	assert_true(hear_end(client, 2000) != EAGAIN);
	assert_true(hear_end(upstream, 2000) != EAGAIN);
	close(client);
	close(upstream);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_few_descriptors),
		cmocka_unit_test(test_unread_answer),
		cmocka_unit_test(test_slow_clients),
		cmocka_unit_test(test_late_gate),
		cmocka_unit_test(test_resolver_gone),
		cmocka_unit_test(test_many_lookups),
		cmocka_unit_test(test_gate_ends),
	};

	int r;

	server = tcp_listen(&port);
	policy = pen_policy(0);
	/* one of them, by name */
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests_name("proxy-load", tests, NULL, NULL);
	lp_policy_freep(&policy);
	return r;
}

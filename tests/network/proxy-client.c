/*
 * The proxy from end to end, byte by byte: what each kind of client is answered, what servers get
 * to see, and what neither of them can do. Gate and resolver are played by the test (pen.c).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pen.h"

static struct pen pen;
static struct lp_policy *policy;
static int server; /* listens */
static unsigned port, closed_port;

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in \"%s\"", part, text);
}

static void assert_starts(const char *text, const char *part)
{
	if (strncmp(text, part, strlen(part)) != 0)
		fail_msg("\"%s\" does not start with \"%s\"", text, part);
}

/* format with the server's port, twice at most; of static memory */
static const char *with_port(const char *format)
{
	static char text[4096];

	snprintf(text, sizeof(text), format, port, port);
	return text;
}

static int explicit_client(void)
{
	return pen_client(&pen, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
}

static void assert_denied(const char *host, unsigned at, const char *reason)
{
	struct lp_packet packet;

	assert_true(pen_denied(&pen, &packet));
	assert_string_equal(packet.host, host);
	assert_int_equal(packet.port, at);
	assert_string_equal(packet.program, "client");
	assert_has(packet.reason, reason);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

#define CONNECT_BLOCKED                                                                    \
	"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nX-Proxy-Error: blocked-by-" \
	"allowlist\r\n\r\nConnection blocked by network allowlist\n"

/* One request, one answer, and what is reported. */
static const struct answer {
	const char *request, *answer, *has, *denied, *reason;
	unsigned port;
} answers[] = {
	{"CONNECT other.test:443 HTTP/1.1\r\nHost: ok.test:443\r\n\r\n", CONNECT_BLOCKED,
		"landpen: other.test:443 is not on the allow list; network.allowedDomains: "
		"[\"other.test\"] would allow it\n",
		"other.test", "host is not on the allow list", 443},
	{"CONNECT BAD.test.:443 HTTP/1.1\r\n\r\n", CONNECT_BLOCKED,
		"bad.test:443 is denied by network.deniedDomains: it is bad", "bad.test",
		"it is bad", 443},
	{"CONNECT 127.2:80 HTTP/1.1\r\n\r\n", CONNECT_BLOCKED, "127.0.0.2:80", "127.0.0.2",
		"not on the allow list", 80},
	{"CONNECT [::ffff:127.0.0.2]:80 HTTP/1.1\r\n\r\n", CONNECT_BLOCKED, "127.0.0.2:80",
		"127.0.0.2", "not on the allow list", 80},
	{"CONNECT ok.test%00.x:80 HTTP/1.1\r\n\r\n", CONNECT_BLOCKED, "neither a host name",
		"ok.test%00.x", "not a host name", 80},
	{"CONNECT loop.test:80 HTTP/1.1\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nX-Proxy-Error: "
		"blocked-by-sandbox-runtime\r\n\r\n",
		"\r\n\r\nConnection to loop.test blocked: resolved to a loopback address",
		"loop.test", "resolved to 127.0.0.2, a loopback address", 80},
	{"GET http://metadata.test/latest HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n",
		"blocked: resolved to a link-local address", "metadata.test", "link-local", 80},
	{"CONNECT nx.test:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n\r\n", NULL, NULL,
		NULL, 0},
	{"CONNECT none.test:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n\r\n", NULL, NULL,
		NULL, 0},
	{"CONNECT ok.test:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n\r\n", NULL, NULL, NULL,
		0},
	{"CONNECT ok.test HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "HOST:PORT", NULL, NULL, 0},
	{"CONNECT ok.test:0 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "HOST:PORT", NULL, NULL, 0},
	{"CONNECT ok.test:80808 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "HOST:PORT", NULL, NULL, 0},
	{"CONNECT :80 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "HOST:PORT", NULL, NULL, 0},
	{"CONNECT u@ok.test:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "HOST:PORT", NULL, NULL, 0},
	{"CONNECT ok.test:80 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 400 ", "no body",
		NULL, NULL, 0},
	{"GET http://other.test/ HTTP/1.1\r\nHost: ok.test\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nX-Proxy-Error: "
		"blocked-by-allowlist\r\n",
		"Connection blocked by network allowlist\nlandpen: other.test:80 is not",
		"other.test", "not on the allow list", 80},
	{"HEAD http://other.test/ HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n", NULL,
		"other.test", "not on the allow list", 80},
	{"GET http://nx.test/ HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n",
		"\r\n\r\nBad Gateway", NULL, NULL, 0},
	{"GET http://ok.test:1/ HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n",
		"\r\n\r\nBad Gateway", NULL, NULL, 0},
	{"GET https://ok.test/ HTTP/1.1\r\n\r\n", "HTTP/1.1 501 ", "use CONNECT", NULL, NULL, 0},
	{"GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n", "HTTP/1.1 400 ", "requests to a proxy", NULL,
		NULL, 0},
	{"GET ftp://ok.test/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "not understood", NULL, NULL, 0},
	{"GET http://u:p@ok.test/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "not understood", NULL, NULL,
		0},
	{"GET http://ok.test\\@x/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "not understood", NULL, NULL,
		0},
	{"garbage\r\n\r\n", "HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"GET http://ok.test/ HTTP/2.0\r\n\r\n", "HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"GET http://ok.test/ HTTP/1.1\n\n", "HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"GET http://ok.test/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 400 ", NULL, NULL, NULL,
		0},
	{"GET http://ok.test/ HTTP/1.1\r\nA: b\rc\r\n\r\n", "HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"GET http://ok.test/ HTTP/1.1\r\nA : b\r\n\r\n", "HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"GET http://ok.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 ", NULL, NULL,
		NULL, 0},
	/* smuggling: CL.TE, TE.CL, CL.CL, TE.TE */
	{"POST http://ok.test/ HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"POST http://ok.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"POST http://ok.test/ HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"POST http://ok.test/ HTTP/1.1\r\nContent-Length: 4, 4\r\n\r\n", "HTTP/1.1 400 ", NULL,
		NULL, NULL, 0},
	{"POST http://ok.test/ HTTP/1.1\r\nContent-Length: +4\r\n\r\n", "HTTP/1.1 400 ", NULL, NULL,
		NULL, 0},
	{"POST http://ok.test/ HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", "HTTP/1.1 400 ",
		NULL, NULL, NULL, 0},
	{"POST http://ok.test/ HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
		"HTTP/1.1 400 ", NULL, NULL, NULL, 0},
	{"POST http://ok.test/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 ",
		NULL, NULL, NULL, 0},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(answers); i++) {
		const struct answer *at = &answers[i];
		lp_autoclose int client = explicit_client();
		const char *heard;

		say(client, at->request);
		heard = hear(client, NULL);
		if (strncmp(heard, at->answer, strlen(at->answer)) != 0 ||
			(at->has && !strstr(heard, at->has)))
			fail_msg("%s -> %s", at->request, heard);
		if (at->denied)
			assert_denied(at->denied, at->port, at->reason);
	}
}

static void test_head_too_long(void **state)
{
	lp_autoclose int client = explicit_client();
	static char field[8192];

	(void)state;
	memset(field, 'x', sizeof(field) - 1);
	say(client, "GET http://ok.test/ HTTP/1.1\r\nA: ");
	for (int i = 0; i < 10; i++)
		say(client, field);
	assert_starts(hear(client, NULL), "HTTP/1.1 431 ");
}

/* ---- CONNECT -----------------------------------------------------------------------------------
 */

static void test_connect(void **state)
{
	static const char *const targets[] = {"ok.test", "OK.test.", "a.ok.test", "127.0.0.1",
		"2130706433", "[::ffff:127.0.0.1]", "mixed.test"};
	char request[256];

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(targets); i++) {
		lp_autoclose int client = explicit_client();
		lp_autoclose int upstream = -1;

		/* the first bytes of the stream come along with the request */
		snprintf(request, sizeof(request),
			"CONNECT %s:%u HTTP/1.1\r\nProxy-Authorization: x\r\n\r\nearly", targets[i],
			port);
		say(client, request);
		upstream = tcp_accept(server);
		assert_true(upstream >= 0);
		assert_string_equal(
			hear(client, "\r\n\r\n"), "HTTP/1.1 200 Connection Established\r\n\r\n");
		assert_string_equal(hear(upstream, "early"), "early");
		say(upstream, "from the server");
		assert_string_equal(hear(client, "server"), "from the server");
		/* one way ends, the other goes on */
		shutdown(client, SHUT_WR);
		assert_int_equal(hear_end(upstream, 2000), 0);
		say(upstream, "more");
		assert_string_equal(hear(client, "more"), "more");
		shutdown(upstream, SHUT_WR);
		assert_int_equal(hear_end(client, 2000), 0);
	}
}

static void open_tunnel(int *ret_client, int *ret_server)
{
	*ret_client = pen_client(&pen, LP_PACKET_NAMED, "ok.test", port);
	*ret_server = tcp_accept(server);
	assert_true(*ret_server >= 0);
}

static void test_ends(void **state)
{
	const struct linger linger = {.l_onoff = 1};

	(void)state;
	for (int by_server = 0; by_server < 2; by_server++) {
		int ends[2];

		/* an end one way */
		open_tunnel(&ends[0], &ends[1]);
		say(ends[by_server], "last");
		shutdown(ends[by_server], SHUT_WR);
		assert_string_equal(hear(ends[!by_server], NULL), "last");
		say(ends[!by_server], "answer");
		assert_string_equal(hear(ends[by_server], "answer"), "answer");
		close(ends[0]);
		close(ends[1]);
		/* a reset */
		open_tunnel(&ends[0], &ends[1]);
		say(ends[0], "x");
		hear(ends[1], "x");
		setsockopt(ends[by_server], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(ends[by_server]);
		assert_int_equal(hear_end(ends[!by_server], 2000), ECONNRESET);
		close(ends[!by_server]);
	}
}

/* ---- plain HTTP --------------------------------------------------------------------------------
 */

static void test_get(void **state)
{
	lp_autoclose int client = explicit_client();
	lp_autoclose int upstream = -1;
	char expected[512];

	(void)state;
	say(client,
		with_port("GET http://OK.test:%u/a?b HTTP/1.1\r\nHost: evil.test\r\nX: y\r\n"
			  "Connection: x-hop, close-not\r\nX-Hop: 1\r\nTE: trailers\r\n"
			  "Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\n"
			  "Keep-Alive: 5\r\n\r\n"));
	upstream = tcp_accept(server);
	snprintf(expected, sizeof(expected),
		"GET /a?b HTTP/1.1\r\nHost: ok.test:%u\r\nX: y\r\n\r\n", port);
	assert_string_equal(hear(upstream, "\r\n\r\n"), expected);
	say(upstream, "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
		      "Server: s\r\n\r\nhel");
	assert_string_equal(hear(client, "hel"),
		"HTTP/1.1 200 Fine\r\nServer: s\r\nContent-Length: 5\r\n\r\nhel");
	say(upstream, "lo");
	assert_string_equal(hear(client, "lo"), "lo");
	/* the same connection again, two requests at once, chunks, an answer without a body */
	say(client, with_port("POST http://ok.test:%u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
			      "\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n"
			      "HEAD http://ok.test:%u/h HTTP/1.1\r\n\r\n"));
	assert_has(hear(upstream, "T: u\r\n\r\n"),
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n");
	say(upstream, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
		      "chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n");
	assert_string_equal(hear(client, "0\r\n\r\n"),
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
		"chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n");
	assert_starts(hear(upstream, "\r\n\r\n"), "HEAD /h HTTP/1.1\r\n");
	say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	assert_has(hear(client, "\r\n\r\n"), "Content-Length: 1000\r\n\r\n");
	/* the server hangs up in between: the next request gets a new connection */
	close(LP_TAKE_FD(upstream));
	say(client, with_port("GET http://ok.test:%u/new HTTP/1.1\r\n\r\n"));
	upstream = tcp_accept(server);
	assert_starts(hear(upstream, "\r\n\r\n"), "GET /new HTTP/1.1\r\n");
	say(upstream, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
	close(LP_TAKE_FD(upstream));
	assert_string_equal(
		hear(client, NULL), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end");
}

static void test_repeated(void **state)
{
	lp_autoclose int client = explicit_client();
	lp_autoclose int upstream = -1;

	(void)state;
	say(client, with_port("GET http://ok.test:%u/1 HTTP/1.1\r\n\r\n"));
	upstream = tcp_accept(server);
	hear(upstream, "\r\n\r\n");
	say(upstream, "HTTP/1.1 204 No\r\n\r\n");
	hear(client, "\r\n\r\n");
	/* taken, and not answered: as a server does whose time is up */
	say(client, with_port("GET http://ok.test:%u/2 HTTP/1.1\r\n\r\n"));
	hear(upstream, "\r\n\r\n");
	close(LP_TAKE_FD(upstream));
	upstream = tcp_accept(server);
	assert_starts(hear(upstream, "\r\n\r\n"), "GET /2 HTTP/1.1\r\n");
	close(LP_TAKE_FD(upstream));
	assert_starts(hear(client, NULL), "HTTP/1.1 502 ");
}

static void test_http_1_0(void **state)
{
	lp_autoclose int client = explicit_client();
	lp_autoclose int upstream = -1;

	(void)state;
	say(client, with_port("GET http://ok.test:%u/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	upstream = tcp_accept(server);
	assert_has(hear(upstream, "\r\n\r\n"), "Connection: close\r\n\r\n");
	say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
	assert_has(hear(client, "hi"), "Connection: keep-alive\r\n\r\nhi");
	say(client, with_port("GET http://ok.test:%u/ HTTP/1.0\r\n\r\n"));
	close(LP_TAKE_FD(upstream));
	upstream = tcp_accept(server);
	hear(upstream, "\r\n\r\n");
	/* a 1.0 client cannot read chunks */
	say(upstream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	assert_starts(hear(client, NULL), "HTTP/1.1 502 ");
}

static void test_early_answer(void **state)
{
	lp_autoclose int client = explicit_client();
	lp_autoclose int upstream = -1;

	(void)state;
	say(client, with_port("POST http://ok.test:%u/ HTTP/1.1\r\nContent-Length: 100000\r\n"
			      "Expect: 100-continue\r\n\r\n"));
	upstream = tcp_accept(server);
	assert_has(hear(upstream, "\r\n\r\n"), "Expect: 100-continue\r\n");
	say(upstream, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	assert_has(hear(client, NULL), "\r\n\r\nno");
}

static void test_upgrade(void **state)
{
	lp_autoclose int client = explicit_client();
	lp_autoclose int upstream = -1;

	(void)state;
	say(client, with_port("GET http://ok.test:%u/ HTTP/1.1\r\nConnection: Upgrade\r\n"
			      "Upgrade: websocket\r\n\r\n"));
	upstream = tcp_accept(server);
	assert_has(hear(upstream, "\r\n\r\n"), "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	say(upstream, "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		      "frame");
	assert_has(hear(client, "frame"), "Upgrade: websocket\r\n\r\nframe");
	say(client, "HTTP/1.1 anything");
	assert_string_equal(hear(upstream, "anything"), "HTTP/1.1 anything");
}

/* Answers that are not sound: the client sees an error, or a broken connection. */
static void test_hostile_server(void **state)
{
	static const struct {
		const char *answer, *start;
	} cases[] = {
		{"nonsense\r\n\r\n", "HTTP/1.1 502 "},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
			"HTTP/1.1 502 "},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
			"HTTP/1.1 502 "},
		{"HTTP/1.1 101 Hm\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 502 "},
		{"HTTP/1.1 200 OK\r\nA: b\n\r\n\r\n", "HTTP/1.1 502 "},
		{"", "HTTP/1.1 502 "},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 200 "},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "HTTP/1.1 200 "},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		lp_autoclose int client = explicit_client();
		int upstream;

		say(client,
			with_port("POST http://ok.test:%u/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
		upstream = tcp_accept(server);
		assert_has(hear(upstream, "\r\n\r\n"), "Content-Length: 0\r\n");
		say(upstream, cases[i].answer);
		close(upstream);
		assert_starts(hear(client, NULL), cases[i].start);
	}
}

/* ---- SOCKS -------------------------------------------------------------------------------------
 */

static void raw(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static void listen_for(int fd, const void *bytes, size_t len)
{
	uint8_t got[64];

	assert_int_equal(recv(fd, got, len, MSG_WAITALL), len);
	assert_memory_equal(got, bytes, len);
}

/* Asks for host; the reply byte. by_password: method 2. */
static uint8_t socks(int client, bool by_password, uint8_t command, const char *host, unsigned at)
{
	uint8_t request[300] = {5, command, 0, 3, (uint8_t)strlen(host)}, reply[10];
	size_t len = strlen(host);

	raw(client, by_password ? "\5\1\2" : "\5\2\0\2", by_password ? 3 : 4);
	listen_for(client, by_password ? "\5\2" : "\5\0", 2);
	if (by_password) {
		raw(client, "\1\3srt\4pass", 10);
		listen_for(client, "\1\0", 2);
	}
	memcpy(request + 5, host, len);
	request[5 + len] = (uint8_t)(at >> 8);
	request[6 + len] = (uint8_t)at;
	raw(client, request, 7 + len);
	assert_int_equal(recv(client, reply, sizeof(reply), MSG_WAITALL), sizeof(reply));
	assert_int_equal(reply[0], 5);
	return reply[1];
}

static void test_socks(void **state)
{
	static const struct {
		const char *host;
		uint8_t command, reply;
		bool is_open;
	} cases[] = {
		{"ok.test", 1, 0, true},
		{"127.0.0.1", 1, 0, true},
		{"ok.test", 1, 5, false},
		{"other.test", 1, 2, true},
		{"bad.test", 1, 2, true},
		{"loop.test", 1, 2, true},
		{"nx.test", 1, 4, true},
		{"a b", 1, 2, true},
		{"ok.test", 2, 7, true},
		{"ok.test", 3, 7, true},
	};

	(void)state;
	for (size_t i = 0; i < 2 * LP_ARRAY_SIZE(cases); i++) {
		__typeof__(&cases[0]) at = &cases[i / 2];
		lp_autoclose int client = explicit_client();
		uint8_t reply = socks(
			client, i % 2, at->command, at->host, at->is_open ? port : closed_port);

		if (reply != at->reply)
			fail_msg("%s: %u", at->host, reply);
		if (reply == 0) {
			lp_autoclose int upstream = tcp_accept(server);

			say(upstream, "hello");
			assert_string_equal(hear(client, "hello"), "hello");
		} else {
			assert_int_equal(hear_end(client, 2000), 0);
		}
		if (reply == 2)
			assert_true(pen_denied(&pen, &(struct lp_packet){0}));
	}
}

static void test_socks_addresses(void **state)
{
	const uint8_t v4[] = {5, 1, 0, 1, 127, 0, 0, 1, (uint8_t)(port >> 8), (uint8_t)port};
	const uint8_t v6[] = {
		5, 1, 0, 4, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80};
	lp_autoclose int first = explicit_client(), second = explicit_client();
	lp_autoclose int third = explicit_client(), fourth = explicit_client(), upstream = -1;

	(void)state;
	/* everything at once, and a byte at a time */
	raw(first, "\5\1\0", 3);
	raw(first, v4, sizeof(v4));
	listen_for(first, "\5\0\5\0\0\1\0\0\0\0\0\0", 12);
	upstream = tcp_accept(server);
	assert_true(upstream >= 0);
	for (size_t i = 0; i < 3 + sizeof(v6); i++) {
		raw(second, i < 3 ? &"\5\1\0"[i] : (const char *)&v6[i - 3], 1);
		usleep(1000);
	}
	listen_for(second, "\5\0\5\2\0\1\0\0\0\0\0\0", 12);
	assert_denied("fe80::1", 80, "not on the allow list");
	raw(third, "\5\1\1", 3);
	listen_for(third, "\5\xff", 2);
	assert_int_equal(hear_end(third, 2000), 0);
	/* SOCKS4 */
	raw(fourth, "\4\1\0\x50\x7f\0\0\1\0", 9);
	assert_true(hear_end(fourth, 2000) != EAGAIN);
}

/* ---- transparent -------------------------------------------------------------------------------
 */

static void test_named(void **state)
{
	lp_autoclose int client = pen_client(&pen, LP_PACKET_NAMED, "127.0.0.1", port);
	lp_autoclose int upstream = tcp_accept(server);
	lp_autoclose int refused = pen_client(&pen, LP_PACKET_NAMED, "ok.test", closed_port);
	lp_autoclose int unknown = pen_client(&pen, LP_PACKET_NAMED, "nx.test", port);
	lp_autoclose int guarded = pen_client(&pen, LP_PACKET_NAMED, "loop.test", port);

	(void)state;
	say(upstream, "server first");
	assert_string_equal(hear(client, "first"), "server first");
	assert_int_equal(hear_end(refused, 2000), ECONNRESET);
	assert_int_equal(hear_end(unknown, 2000), ECONNRESET);
	assert_int_equal(hear_end(guarded, 2000), ECONNRESET);
	assert_denied("loop.test", port, "resolved to 127.0.0.2, a loopback address");
}

/* A ClientHello with this server name, cut into records of `record` bytes. */
static size_t client_hello(const char *name, size_t record, uint8_t *ret_bytes)
{
	uint8_t hello[512] = {1, 0, 0, 0, 3, 3};
	size_t name_len = strlen(name), len = 6 + 32, at = 0, out = 0;
	const uint8_t fixed[] = {0, 0, 2, 0x13, 1, 1, 0, 0, (uint8_t)(name_len + 9), 0, 0, 0,
		(uint8_t)(name_len + 5), 0, (uint8_t)(name_len + 3), 0, 0, (uint8_t)name_len};

	memcpy(hello + len, fixed, sizeof(fixed));
	len += sizeof(fixed);
	memcpy(hello + len, name, name_len);
	len += name_len;
	hello[2] = (uint8_t)((len - 4) >> 8);
	hello[3] = (uint8_t)(len - 4);
	while (at < len) {
		size_t part = len - at < record ? len - at : record;
		const uint8_t header[] = {22, 3, 1, (uint8_t)(part >> 8), (uint8_t)part};

		memcpy(ret_bytes + out, header, 5);
		memcpy(ret_bytes + out + 5, hello + at, part);
		out += 5 + part;
		at += part;
	}
	return out;
}

static int sniffed(const void *bytes, size_t len, bool bytewise)
{
	int client = pen_client(&pen, LP_PACKET_SNIFF, "203.0.113.9", port);

	for (size_t i = 0; bytewise && i < len; i++) {
		raw(client, (const uint8_t *)bytes + i, 1);
		if (i % 16 == 0)
			usleep(500);
	}
	if (!bytewise && len)
		raw(client, bytes, len);
	return client;
}

static void test_sniff(void **state)
{
	static const struct {
		const char *sni, *text, *denied, *reason;
		size_t record;
		bool bytewise;
	} cases[] = {
		{"ok.test", NULL, NULL, NULL, 1000, false},
		{"OK.test", NULL, NULL, NULL, 7, false},
		{"ok.test", NULL, NULL, NULL, 1000, true},
		{"other.test", NULL, "other.test", "not on the allow list", 1000, false},
		{"127.0.0.1", NULL, "203.0.113.9", "no name", 1000, false},
		{"", NULL, "203.0.113.9", "no name", 1000, false},
		{NULL, "GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n", NULL, NULL, 0, false},
		{NULL, "GET / HTTP/1.1\r\nHost: ok.test:%u\r\n\r\n", NULL, NULL, 0, true},
		{NULL, "GET / HTTP/1.1\r\nHost: ok.test:1\r\n\r\n", "203.0.113.9", "no name", 0,
			false},
		{NULL, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", "other.test", "allow list", 0,
			false},
		{NULL, "GET / HTTP/1.0\r\n\r\n", "203.0.113.9", "no name", 0, false},
		{NULL, "GET http://x/ HTTP/1.0\r\nHost: ok.test\r\n\r\n", "203.0.113.9", "no name",
			0, false},
		{NULL, "SSH-2.0-x\r\n", "203.0.113.9", "no name", 0, false},
		{NULL, "", "203.0.113.9", "within 3 s", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		uint8_t bytes[2048];
		size_t len;
		lp_autoclose int client = -1;

		if (cases[i].sni)
			len = client_hello(cases[i].sni, cases[i].record, bytes);
		else
			len = (size_t)snprintf((char *)bytes, sizeof(bytes), cases[i].text, port);
		client = sniffed(bytes, len, cases[i].bytewise);
		if (cases[i].denied) {
			assert_int_equal(hear_end(client, 4000), ECONNRESET);
			assert_denied(cases[i].denied, port, cases[i].reason);
		} else {
			lp_autoclose int upstream = tcp_accept(server);
			uint8_t got[2048];

			assert_true(upstream >= 0);
			assert_int_equal(recv(upstream, got, len, MSG_WAITALL), len);
			assert_memory_equal(got, bytes, len);
			say(upstream, "answer");
			assert_string_equal(hear(client, "answer"), "answer");
		}
	}
}

/* ---- a proxy beyond ----------------------------------------------------------------------------
 */

static void test_upstream(void **state)
{
	struct lp_policy *beyond LP_CLEANUP(lp_policy_freep) = pen_policy(port);
	lp_autoclose int client = -1, plain = -1, upstream = -1, refused = -1;
	struct pen other;

	(void)state;
	pen_start(&other, beyond);
	client = pen_client(&other, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	/* resolved there: no guard, and no look-up */
	say(client, "CONNECT loop.test:443 HTTP/1.1\r\n\r\n");
	upstream = tcp_accept(server);
	assert_string_equal(hear(upstream, "\r\n\r\n"),
		"CONNECT loop.test:443 HTTP/1.1\r\nHost: loop.test:443\r\n\r\n");
	say(upstream, "HTTP/1.1 200 Yes\r\nVia: x\r\n\r\nbanner");
	assert_string_equal(
		hear(client, "banner"), "HTTP/1.1 200 Connection Established\r\n\r\nbanner");
	close(LP_TAKE_FD(upstream));
	refused = pen_client(&other, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	say(refused, "CONNECT loop.test:443 HTTP/1.1\r\n\r\n");
	upstream = tcp_accept(server);
	say(upstream, "HTTP/1.1 407 No\r\n\r\n");
	assert_starts(hear(refused, NULL), "HTTP/1.1 502 ");
	close(LP_TAKE_FD(upstream));
	plain = pen_client(&other, LP_PACKET_EXPLICIT, "127.0.0.1", 3128);
	say(plain, "GET http://loop.test HTTP/1.1\r\nProxy-Authorization: mine\r\n\r\n");
	upstream = tcp_accept(server);
	assert_string_equal(hear(upstream, "\r\n\r\n"),
		"GET http://loop.test/ HTTP/1.1\r\nHost: loop.test\r\n"
		"Proxy-Authorization: Basic dTpw\r\n\r\n");
	assert_int_equal(pen_stop(&other), 0);
}

static int set_up(void **state)
{
	(void)state;
	server = tcp_listen(&port);
	close(tcp_listen(&closed_port));
	policy = pen_policy(0);
	pen_start(&pen, policy);
	return 0;
}

static int tear_down(void **state)
{
	int r = pen_stop(&pen);

	(void)state;
	lp_policy_freep(&policy);
	return r;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_head_too_long),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_http_1_0),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_hostile_server),
		cmocka_unit_test(test_socks),
		cmocka_unit_test(test_socks_addresses),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_sniff),
		cmocka_unit_test(test_upstream),
	};

	/* one of them, by name */
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("proxy", tests, set_up, tear_down);
}

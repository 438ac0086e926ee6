/* The proxy as libcurl uses it: plain, by tunnel and by SOCKS, many requests at once. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "pen.h"

#define REQUESTS  60
#define BODY_SIZE 300000

static struct pen pen;
static struct lp_policy *policy;
static int server, front; /* both listen */
static unsigned port, front_port;
static char body[BODY_SIZE];

/* Hands every client over, as the gate does. */
static void *hand_over(void *context)
{
	const struct lp_packet packet = {.kind = LP_PACKET_EXPLICIT, .id = 1};
	int fd;

	(void)context;
	while ((fd = accept(front, NULL, NULL)) >= 0) {
		lp_packet_send(pen.gate, &packet, fd);
		close(fd);
	}
	return NULL;
}

/* Answers each request with body, in chunks for /chunked. */
static void *answer(void *context)
{
	int fd = (int)(intptr_t)context;
	char request[8192], head[128];
	ssize_t n;

	/* curl sends a head without a body in one piece */
	while ((n = recv(fd, request, sizeof(request) - 1, 0)) > 0) {
		bool chunked;

		request[n] = '\0';
		chunked = strstr(request, "/chunked") != NULL;
		snprintf(head, sizeof(head),
			chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"
				: "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n",
			BODY_SIZE);
		say(fd, head);
		for (size_t at = 0; at < BODY_SIZE; at += (size_t)n) {
			n = send(fd, body + at, BODY_SIZE - at, MSG_NOSIGNAL);
			if (n <= 0)
				break;
		}
		if (chunked)
			say(fd, "\r\n0\r\n\r\n");
	}
	close(fd);
	return NULL;
}

static void *serve(void *context)
{
	int fd;

	(void)context;
	while ((fd = accept(server, NULL, NULL)) >= 0) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, answer, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	}
	return NULL;
}

static size_t check(const char *bytes, size_t size, size_t count, void *context)
{
	size_t *sum = context, len = size * count;

	if (*sum + len > BODY_SIZE || memcmp(body + *sum, bytes, len) != 0)
		return 0;
	*sum += len;
	return len;
}

static CURL *request(const char *url, const char *proxy, bool tunnel, size_t *sum)
{
	CURL *curl = curl_easy_init();

	assert_non_null(curl);
	*sum = 0;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, proxy);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPPROXYTUNNEL, (long)tunnel);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, check);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, sum);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	return curl;
}

static void test_all_ways(void **state)
{
	static const struct {
		const char *scheme;
		bool tunnel;
	} ways[] = {{"http://u:p", false}, {"http://u:p", true}, {"socks5h://srt:p", false},
		{"socks5h://", false}};
	static size_t sums[REQUESTS];
	CURL *curls[REQUESTS];
	CURLM *multi = curl_multi_init();
	int running = 1;

	(void)state;
	for (size_t i = 0; i < REQUESTS; i++) {
		char url[128], proxy[128];
		__typeof__(&ways[0]) way = &ways[i % LP_ARRAY_SIZE(ways)];

		snprintf(url, sizeof(url), "http://ok.test:%u/%s", port, i % 3 ? "" : "chunked");
		snprintf(proxy, sizeof(proxy), "%s%s127.0.0.1:%u", way->scheme,
			strstr(way->scheme, ":p") ? "@" : "", front_port);
		curls[i] = request(url, proxy, way->tunnel, &sums[i]);
		curl_multi_add_handle(multi, curls[i]);
	}
	while (running) {
		assert_int_equal(curl_multi_perform(multi, &running), CURLM_OK);
		curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	for (size_t i = 0; i < REQUESTS; i++) {
		if (sums[i] != BODY_SIZE)
			fail_msg("request %zu: %zu bytes", i, sums[i]);
		curl_multi_remove_handle(multi, curls[i]);
		curl_easy_cleanup(curls[i]);
	}
	curl_multi_cleanup(multi);
}

static void test_denied(void **state)
{
	static const struct {
		const char *url, *scheme;
		bool tunnel;
		CURLcode code;
		long status, connect_status;
	} cases[] = {
		{"http://other.test/", "http", false, CURLE_WRITE_ERROR, 403, 0},
		{"https://other.test/", "http", false, CURLE_RECV_ERROR, 0, 403},
		{"https://nx.test/", "http", false, CURLE_RECV_ERROR, 0, 502},
		{"http://other.test/", "socks5h", false, CURLE_PROXY, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < LP_ARRAY_SIZE(cases); i++) {
		long status = 0, connect_status = 0;
		char proxy[64];
		size_t sum;
		CURLcode code;
		CURL *curl;

		snprintf(proxy, sizeof(proxy), "%s://127.0.0.1:%u", cases[i].scheme, front_port);
		curl = request(cases[i].url, proxy, cases[i].tunnel, &sum);
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(curl, CURLINFO_HTTP_CONNECTCODE, &connect_status);
		curl_easy_cleanup(curl);
		if ((code != cases[i].code && code != CURLE_COULDNT_CONNECT) ||
			status != cases[i].status || connect_status != cases[i].connect_status)
			fail_msg("%s: %d, %ld, %ld", cases[i].url, code, status, connect_status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_ways),
		cmocka_unit_test(test_denied),
	};
	pthread_t gate, world;
	int r;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 31 % 251);
	policy = pen_policy(0);
	server = tcp_listen(&port);
	pen_start(&pen, policy);
	front = tcp_listen(&front_port);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	pthread_create(&gate, NULL, hand_over, NULL);
	pthread_create(&world, NULL, serve, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests_name("proxy-curl", tests, NULL, NULL);
	shutdown(front, SHUT_RDWR);
	shutdown(server, SHUT_RDWR);
	pthread_join(gate, NULL);
	pthread_join(world, NULL);
	r |= pen_stop(&pen);
	curl_global_cleanup();
	lp_policy_freep(&policy);
	return r;
}

/*
 * The test's side of a proxy: gate, resolver, clients and servers on loopback.
 */
#include "pen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(condition)                                                                     \
	do {                                                                                \
		if (!(condition)) {                                                         \
			fprintf(stderr, "%s:%d: " #condition ": %m\n", __FILE__, __LINE__); \
			abort();                                                            \
		}                                                                           \
	} while (0)

static void add_host(struct lp_policy *policy, bool allow, const char *text, const char *reason)
{
	char host[LP_HOST_SIZE];
	struct lp_host_rule rule = {.allow = allow};

	MUST(lp_host_pattern(text, host, &rule.port) == 0);
	rule.host = strdup(host);
	rule.reason = reason ? strdup(reason) : NULL;
	rule.origin.key = strdup("test");
	MUST(lp_policy_add_host(policy, &rule) == 0);
}

struct lp_policy *pen_policy(unsigned upstream_port)
{
	/* guarded: 127.0.0.1 may be dialled, 127.0.0.2 not */
	static const char *const allowed[] = {"127.0.0.1", "[::1]", "ok.test", "*.ok.test",
		"nx.test", "loop.test", "mixed.test", "metadata.test", "silent.test", "none.test",
		"bad.test"};
	struct lp_policy *policy = calloc(1, sizeof(*policy));

	MUST(policy);
	policy->network = LP_NETWORK_NAMES;
	for (size_t i = 0; i < LP_ARRAY_SIZE(allowed); i++)
		add_host(policy, true, allowed[i], NULL);
	add_host(policy, false, "bad.test", "it is bad");
	if (upstream_port) {
		policy->upstream_http.host = strdup("up.test");
		policy->upstream_http.port = upstream_port;
		policy->upstream_http.authorization = strdup("Basic dTpw");
		policy->upstream_https.host = strdup("127.0.0.1");
		policy->upstream_https.port = upstream_port;
	}
	return policy;
}

static struct lp_address ipv4(const char *text)
{
	struct lp_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	MUST(inet_pton(AF_INET, text, address.bytes + 12) == 1);
	return address;
}

static const struct {
	const char *host;
	uint32_t error;
	const char *addresses[3];
} names[] = {
	{"ok.test", 0, {"127.0.0.1"}},
	{"up.test", 0, {"127.0.0.1"}},
	{"a.ok.test", 0, {"127.0.0.1"}},
	{"loop.test", 0, {"127.0.0.2", "127.0.0.3"}},
	{"mixed.test", 0, {"127.0.0.2", "127.0.0.1"}},
	{"metadata.test", 0, {"169.254.169.254"}},
	{"none.test", 0, {NULL}},
	{"nx.test", ENOENT, {NULL}},
};

static void *resolve(void *context)
{
	int socket = *(int *)context;
	struct pollfd wait = {.fd = socket, .events = POLLIN};

	free(context);
	while (poll(&wait, 1, -1) >= 0) {
		struct lp_packet packet;
		int fd = -1, r = lp_packet_receive(socket, &packet, &fd);

		if (r == -EAGAIN)
			continue;
		if (r <= 0)
			break;
		MUST(packet.kind == LP_PACKET_LOOKUP && fd < 0);
		packet.kind = LP_PACKET_ADDRESSES;
		for (size_t i = 0; i < LP_ARRAY_SIZE(names); i++) {
			if (strcmp(packet.host, names[i].host) != 0)
				continue;
			packet.error = names[i].error;
			while (packet.count < 3 && names[i].addresses[packet.count]) {
				packet.addresses[packet.count] =
					ipv4(names[i].addresses[packet.count]);
				packet.count++;
			}
			lp_packet_send(socket, &packet, -1);
		}
	}
	return NULL;
}

void pen_start(struct pen *pen, const struct lp_policy *policy)
{
	pen_start_small(pen, policy, 0);
}

static void limit_files(unsigned files)
{
	const struct rlimit limit = {files, files};

	MUST(!files || setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

void pen_start_small(struct pen *pen, const struct lp_policy *policy, unsigned files)
{
	int gate[2], resolver[2], *context = malloc(sizeof(*context));
	unsigned port;

	MUST(context);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gate) == 0);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, resolver) == 0);
	pen->proxy = fork();
	MUST(pen->proxy >= 0);
	if (pen->proxy == 0)
		limit_files(files);
	if (pen->proxy == 0)
		_exit(lp_proxy_run(policy, gate[1], resolver[1]));
	close(gate[1]);
	close(resolver[1]);
	pen->gate = gate[0];
	pen->resolver = resolver[0];
	pen->listener = tcp_listen(&port);
	*context = resolver[0];
	MUST(pthread_create(&pen->resolver_thread, NULL, resolve, context) == 0);
}

int pen_stop(struct pen *pen)
{
	int status;

	close(pen->gate);
	MUST(waitpid(pen->proxy, &status, 0) == pen->proxy);
	pthread_join(pen->resolver_thread, NULL);
	close(pen->resolver);
	close(pen->listener);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int tcp_listen_at(unsigned port)
{
	const int one = 1;
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	MUST(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	MUST(listen(fd, 4096) == 0);
	return fd;
}

int tcp_listen(unsigned *ret_port)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	int fd = tcp_listen_at(0);

	MUST(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

int tcp_accept(int listener)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	int fd;

	if (poll(&wait, 1, 3000) != 1)
		return -1;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	MUST(fd >= 0);
	return fd;
}

int tcp_connect(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

int pen_client_kept(
	struct pen *pen, uint32_t kind, const char *host, unsigned port, int *ret_accepted)
{
	struct lp_packet packet = {.kind = kind, .port = port, .program = "client"};
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	int client, r;

	MUST(getsockname(pen->listener, (struct sockaddr *)&address, &len) == 0);
	client = tcp_connect(ntohs(address.sin_port));
	*ret_accepted = tcp_accept(pen->listener);
	snprintf(packet.host, sizeof(packet.host), "%s", host);
	while ((r = lp_packet_send(pen->gate, &packet, *ret_accepted)) == -EAGAIN)
		usleep(1000);
	MUST(r == 0);
	return client;
}

int pen_client(struct pen *pen, uint32_t kind, const char *host, unsigned port)
{
	int accepted, client = pen_client_kept(pen, kind, host, port, &accepted);

	close(accepted);
	return client;
}

bool pen_denied(struct pen *pen, struct lp_packet *ret_packet)
{
	struct pollfd wait = {.fd = pen->gate, .events = POLLIN};
	int fd = -1;

	while (poll(&wait, 1, 2000) == 1) {
		int r = lp_packet_receive(pen->gate, ret_packet, &fd);

		MUST(r == 1 && fd < 0);
		if (ret_packet->kind == LP_PACKET_DENIED)
			return true;
	}
	return false;
}

void say(int fd, const char *text)
{
	/* the other side may have enough already */
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		MUST(errno == EPIPE || errno == ECONNRESET);
}

const char *hear(int fd, const char *until)
{
	static char text[1 << 18];
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t len = 0;

	text[0] = '\0';
	while (len < sizeof(text) - 1 && poll(&wait, 1, 3000) == 1) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (until && strstr(text, until))
			break;
	}
	return text;
}

int hear_end(int fd, int ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char bytes[4096];
	ssize_t n;

	do {
		if (poll(&wait, 1, ms) != 1)
			return EAGAIN;
		n = recv(fd, bytes, sizeof(bytes), 0);
	} while (n > 0);
	return n < 0 ? errno : 0;
}

unsigned long memory_of(pid_t pid, const char *name)
{
	unsigned long value = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	MUST(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = strtoul(line + strlen(name) + 1, NULL, 10);
	fclose(file);
	return value;
}

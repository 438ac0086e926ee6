/* See resolver-rig.h. */
#include "resolver-rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct seen *seen;
bool hide_getent;

/* ---- instead of getent ----------------------------------------------------------------------- */

int access(const char *path, int mode)
{
	if (hide_getent && strstr(path, "getent")) {
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

static void look_around(char *const *environment)
{
	bool is_bare = !strcmp(environment[0], "PATH=/usr/bin:/bin") && !environment[1];

	if (!is_bare || fcntl(3, F_GETFD) >= 0 || fcntl(4, F_GETFD) >= 0 ||
		open("/tmp/landpen-test-resolver", O_CREAT | O_WRONLY, 0600) >= 0 ||
		open("/proc/self/mem", O_RDONLY) >= 0)
		__atomic_add_fetch(&seen->troubles, 1, __ATOMIC_SEQ_CST);
}

static void print_many(void)
{
	for (unsigned i = 0; i < 100000; i++)
		dprintf(STDOUT_FILENO, "10.1.%u.%u STREAM\n", i / 256 % 256, i % 256);
}

int execve(const char *path, char *const *argv, char *const *environment)
{
	const char *host = argv[2];
	size_t length = strlen(host);

	__atomic_add_fetch(&seen->execs, 1, __ATOMIC_SEQ_CST);
	look_around(environment);
	if (length < 5 || strcmp(host + length - 5, ".test") != 0)
		return (int)syscall(SYS_execve, path, argv, environment);
	if (!strncmp(host, "none", 4))
		_exit(2);
	if (!strncmp(host, "trouble", 7))
		_exit(3);
	if (!strncmp(host, "slow", 4))
		sleep(60);
	if (!strncmp(host, "closed", 6)) {
		close(STDOUT_FILENO);
		sleep(60);
	}
	if (!strncmp(host, "wait", 4))
		usleep(300000);
	if (!strncmp(host, "flood", 5))
		print_many();
	dprintf(STDOUT_FILENO, "10.9.8.7        STREAM %s\n10.9.8.7        DGRAM\n", host);
	_exit(0);
}

/* ---- the rig --------------------------------------------------------------------------------- */

static struct lp_policy *make_policy(void)
{
	static const char *const hosts[] = {"localhost", "*.test"};
	struct lp_policy *policy = calloc(1, sizeof(*policy));

	policy->network = LP_NETWORK_NAMES;
	policy->hosts = calloc(LP_ARRAY_SIZE(hosts), sizeof(*policy->hosts));
	for (size_t i = 0; i < LP_ARRAY_SIZE(hosts); i++)
		policy->hosts[policy->host_count++] =
			(struct lp_host_rule){.allow = true, .host = strdup(hosts[i])};
	return policy;
}

void rig_start(struct rig *rig, unsigned files)
{
	int gate[2], proxy[2];

	if (!seen)
		seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	*seen = (struct seen){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gate), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, proxy), 0);
	fflush(NULL);
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (rig->pid == 0) {
		const struct rlimit limit = {files, files};

		if (files)
			setrlimit(RLIMIT_NOFILE, &limit);
		_exit(lp_resolver_run(make_policy(), gate[1], proxy[1]));
	}
	close(gate[1]);
	close(proxy[1]);
	rig->gate = gate[0];
	rig->proxy = proxy[0];
}

int rig_stop(struct rig *rig)
{
	int status = 0;

	close(rig->gate);
	for (int i = 0; i < 500; i++) {
		if (waitpid(rig->pid, &status, WNOHANG) == rig->pid) {
			close(rig->proxy);
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		}
		usleep(10000);
	}
	fail_msg("the resolver does not end");
	return -1;
}

int rig_socket(struct rig *rig, bool is_stream)
{
	struct lp_packet packet = {.kind = is_stream ? LP_PACKET_STREAM : LP_PACKET_QUERIES};
	int ends[2], r;

	assert_int_equal(
		socketpair(AF_UNIX, (is_stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0,
			ends),
		0);
	while ((r = lp_packet_send(rig->gate, &packet, ends[1])) == -EAGAIN || r == -ETOOMANYREFS)
		usleep(1000);
	assert_int_equal(r, 0);
	close(ends[1]);
	return ends[0];
}

size_t make_query(uint8_t *buf, unsigned id, const char *name, unsigned type, unsigned flags)
{
	const uint8_t header[] = {(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1, 0, 0, 0, 0, 0,
		flags & ASK_EDNS ? 1 : 0};
	static const uint8_t opt[] = {0, 0, LP_DNS_OPT, 16, 0, 0, 0, 0, 0, 0, 0};
	uint8_t *at = (uint8_t *)memcpy(buf, header, sizeof(header)) + sizeof(header);

	while (*name) {
		size_t length = strcspn(name, ".");

		*at++ = (uint8_t)length;
		memcpy(at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	memcpy(at, (const uint8_t[]){0, 0, (uint8_t)type, 0, flags & ASK_CHAOS ? 3 : 1}, 5);
	at += 5;
	if (flags & ASK_EDNS)
		at = (uint8_t *)memcpy(at, opt, sizeof(opt)) + sizeof(opt);
	return (size_t)(at - buf);
}

void ask(int fd, unsigned id, const char *name, unsigned type)
{
	uint8_t buf[512];
	size_t len = make_query(buf, id, name, type, 0);

	assert_int_equal(send(fd, buf, len, MSG_NOSIGNAL), len);
}

struct reply parse_reply(const uint8_t *buf, size_t len)
{
	struct reply reply = {.code = buf[3] & 15,
		.id = (unsigned)buf[0] << 8 | buf[1],
		.flags = (unsigned)buf[2] << 8 | buf[3],
		.records = buf[7],
		.edns = buf[11]};
	size_t at = 12;

	assert_true(len >= 12);
	if (!reply.records)
		return reply;
	while (buf[at])
		at += buf[at] + 1U;
	at += 5 + 12;
	assert_true(at + 4 <= len);
	reply.address = (uint32_t)buf[at] << 24 | (uint32_t)buf[at + 1] << 16 |
			(uint32_t)buf[at + 2] << 8 | buf[at + 3];
	return reply;
}

struct reply receive(int fd, int milliseconds)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	uint8_t buf[1024];
	ssize_t n;

	if (poll(&poller, 1, milliseconds) < 1)
		return (struct reply){.code = -1};
	n = recv(fd, buf, sizeof(buf), 0);
	return n > 0 ? parse_reply(buf, (size_t)n) : (struct reply){.code = -2};
}

struct reply asked(int fd, const char *name, unsigned type)
{
	static unsigned id = 1000;
	struct reply reply;

	ask(fd, ++id & 0xffff, name, type);
	reply = receive(fd, 5000);
	if (reply.code >= 0)
		assert_int_equal(reply.id, id & 0xffff);
	return reply;
}

struct lp_packet rig_packet(int fd, int milliseconds)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	struct lp_packet packet = {0};
	int got = -1;

	if (poll(&poller, 1, milliseconds) < 1)
		return packet;
	assert_int_equal(lp_packet_receive(fd, &packet, &got), 1);
	assert_int_equal(got, -1);
	return packet;
}

void rig_lookup(struct rig *rig, uint32_t id, const char *host)
{
	struct lp_packet packet = {.kind = LP_PACKET_LOOKUP, .id = id};

	snprintf(packet.host, sizeof(packet.host), "%s", host);
	while (lp_packet_send(rig->proxy, &packet, -1) == -EAGAIN)
		usleep(1000);
}

/* The resolver process, with real sockets. */
#include "resolver-rig.h"

#include <sys/socket.h>

#include "resolver/parts.h"

#define IN_RANGE(address) ((address)-LP_RESOLVER_FIRST < LP_RESOLVER_COUNT)

static uint32_t packet_address(const struct lp_packet *packet)
{
	const uint8_t *bytes = packet->addresses[0].bytes;

	return (uint32_t)bytes[12] << 24 | (uint32_t)bytes[13] << 16 | (uint32_t)bytes[14] << 8 |
	       bytes[15];
}

static void test_answers(void **state)
{
	struct rig rig;
	struct lp_packet packet;
	struct reply reply;
	uint8_t buf[512], got[512];
	int fd;

	(void)state;
	rig_start(&rig, 0);
	fd = rig_socket(&rig, false);
	ask(fd, 7, "LocalHost", LP_DNS_A);
	reply = receive(fd, 5000);
	/* the gate knew before the answer was sent */
	packet = rig_packet(rig.gate, 0);
	assert_int_equal(packet.kind, LP_PACKET_NAME);
	assert_string_equal(packet.host, "localhost");
	assert_int_equal(reply.code, LP_DNS_NOERROR);
	assert_int_equal(reply.id, 7);
	assert_int_equal(reply.flags, 0x8180);
	assert_int_equal(reply.records, 1);
	assert_int_equal(reply.address, LP_RESOLVER_FIRST + 1);
	assert_int_equal(packet_address(&packet), reply.address);

	assert_int_equal(asked(fd, "localhost", LP_DNS_A).address, reply.address);
	assert_int_equal(rig_packet(rig.gate, 50).kind, LP_PACKET_NONE);
	assert_int_equal(seen->execs, 1);

	for (unsigned type = 2; type < 70; type++) {
		reply = asked(fd, "localhost", type);
		assert_true(reply.code == LP_DNS_NOERROR && reply.records == 0);
	}
	assert_int_equal(asked(fd, "1.0.18.198.in-addr.arpa", LP_DNS_PTR).records, 1);
	assert_int_equal(asked(fd, "2.0.18.198.in-addr.arpa", LP_DNS_PTR).code, LP_DNS_NXDOMAIN);
	assert_int_equal(asked(fd, "1.0.0.127.in-addr.arpa", LP_DNS_PTR).code, LP_DNS_NXDOMAIN);
	assert_int_equal(asked(fd, "127.1", LP_DNS_A).code, LP_DNS_NXDOMAIN);
	assert_int_equal(asked(fd, "2130706433", LP_DNS_A).code, LP_DNS_NXDOMAIN);
	assert_int_equal(asked(fd, "none.test", LP_DNS_A).code, LP_DNS_NXDOMAIN);
	assert_int_equal(asked(fd, "trouble.test", LP_DNS_A).code, LP_DNS_SERVFAIL);
	assert_int_equal(rig_packet(rig.gate, 0).kind, LP_PACKET_NONE);

	send(fd, buf, make_query(buf, 9, "lOCALhost", LP_DNS_A, ASK_EDNS), 0);
	assert_true(recv(fd, got, sizeof(got), 0) > 0);
	assert_memory_equal(got + 12, buf + 12, 15);
	assert_int_equal(parse_reply(got, sizeof(got)).edns, 1);
	send(fd, buf, make_query(buf, 9, "version.bind", 16, ASK_CHAOS), 0);
	assert_int_equal(receive(fd, 5000).code, LP_DNS_REFUSED);
	assert_int_equal(seen->troubles, 0);
	close(fd);
	assert_int_equal(rig_stop(&rig), 0);
}

static void test_denied(void **state)
{
	static const char *const names[] = {"example.com", "localhost.example", "test",
		"a.localhost", "xn--test.", "-h.test", "a\001.test"};
	unsigned reports = 0;
	struct rig rig;
	int fd;

	(void)state;
	rig_start(&rig, 0);
	fd = rig_socket(&rig, false);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < LP_ARRAY_SIZE(names); i++) {
			assert_int_equal(asked(fd, names[i], LP_DNS_A).code, LP_DNS_NXDOMAIN);
			assert_int_equal(asked(fd, names[i], LP_DNS_AAAA).code, LP_DNS_NXDOMAIN);
		}
	}
	for (;; reports++) {
		struct lp_packet packet = rig_packet(rig.gate, 50);

		if (packet.kind == LP_PACKET_NONE)
			break;
		assert_int_equal(packet.kind, LP_PACKET_DENIED);
		assert_string_equal(packet.reason, "look-up");
		assert_int_equal(packet.port, 0);
	}
	/* the last two are no host names at all */
	assert_int_equal(reports, LP_ARRAY_SIZE(names) - 2);
	assert_int_equal(seen->execs, 0);
	close(fd);
	assert_int_equal(rig_stop(&rig), 0);
}

/* A gate that is behind: no answer goes out before its NAME does. */
static void test_gate_behind(void **state)
{
	unsigned names = 0, denied = 0;
	struct lp_packet packet;
	struct rig rig;
	char name[64];
	int fd;

	(void)state;
	rig_start(&rig, 0);
	fd = rig_socket(&rig, false);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%u.example.com", i);
		assert_int_equal(asked(fd, name, LP_DNS_A).code, LP_DNS_NXDOMAIN);
	}
	ask(fd, 5, "late.test", LP_DNS_A);
	ask(fd, 6, "late.test", LP_DNS_A);
	assert_int_equal(receive(fd, 500).code, -1);
	/* what needs no gate goes on */
	assert_int_equal(asked(fd, "none.test", LP_DNS_A).code, LP_DNS_NXDOMAIN);
	while ((packet = rig_packet(rig.gate, 500)).kind != LP_PACKET_NONE) {
		names += packet.kind == LP_PACKET_NAME;
		denied += packet.kind == LP_PACKET_DENIED;
	}
	assert_int_equal(denied, 1000);
	assert_int_equal(names, 1);
	assert_int_equal(receive(fd, 5000).id, 5);
	assert_int_equal(receive(fd, 5000).id, 6);
	close(fd);
	assert_int_equal(rig_stop(&rig), 0);
}

static void drain(struct rig *rig)
{
	struct lp_packet packet;

	while ((packet = rig_packet(rig->gate, 0)).kind != LP_PACKET_NONE)
		assert_int_equal(packet.kind, LP_PACKET_NAME);
}

/* Many names on few sockets, all at once; then all of them again. */
static void test_many_names(void **state)
{
	enum { SOCKETS = 8, EACH = 60, COUNT = SOCKETS * EACH };
	static uint32_t addresses[COUNT];
	int fds[SOCKETS];
	struct rig rig;
	char name[64];

	(void)state;
	rig_start(&rig, 0);
	for (unsigned i = 0; i < SOCKETS; i++)
		fds[i] = rig_socket(&rig, false);
	for (unsigned round = 0; round < 4; round++) {
		unsigned count = round < 2 ? COUNT / 2 : COUNT;

		/* at most LP_LOOKUPS_MAX are waited for at a time */
		for (unsigned i = round == 1 ? COUNT / 2 : 0;
			i < (round == 1 ? (unsigned)COUNT : count); i++) {
			snprintf(name, sizeof(name), "n%u.test", i);
			ask(fds[i % SOCKETS], i, name, LP_DNS_A);
		}
		for (unsigned i = 0; i < count; i++) {
			struct reply reply;

			/* the gate's socket holds fewer packets than there are names */
			while ((reply = receive(fds[i % SOCKETS], 20)).code == -1)
				drain(&rig);
			assert_int_equal(reply.code, LP_DNS_NOERROR);
			assert_true(IN_RANGE(reply.address) && reply.id < COUNT);
			assert_true((reply.address & 255) != 0 && (reply.address & 255) != 255);
			if (!addresses[reply.id])
				addresses[reply.id] = reply.address;
			assert_int_equal(addresses[reply.id], reply.address);
		}
		drain(&rig);
	}
	for (unsigned i = 0; i < COUNT; i++)
		for (unsigned j = 0; j < i; j++)
			assert_true(addresses[i] != addresses[j]);
	assert_int_equal(seen->execs, COUNT);
	for (unsigned i = 0; i < SOCKETS; i++)
		close(fds[i]);
	assert_int_equal(rig_stop(&rig), 0);
}

/* The table to its end: every address is new, usable, and leads back to its name. */
static void test_table(void **state)
{
	struct lp_resolver *resolver = calloc(1, sizeof(*resolver));
	struct lp_names *names = &resolver->names;
	uint32_t last = LP_RESOLVER_FIRST;
	char name[64];
	size_t index;

	(void)state;
	names->max = LP_NAMES_MAX;
	for (size_t i = 0; i < LP_NAMES_MAX; i++) {
		uint32_t address = lp_names_address(i);

		snprintf(name, sizeof(name), "n%zu.test", i);
		assert_int_equal(lp_names_intern(resolver, names, name, &index), 0);
		assert_int_equal(index, i);
		assert_true(address > last && IN_RANGE(address));
		assert_true((address & 255) != 0 && (address & 255) != 255);
		assert_null(lp_names_of_address(names, address));
		last = address;
	}
	assert_int_equal(lp_names_intern(resolver, names, "one-more.test", &index), -ENOSPC);
	assert_int_equal(lp_names_intern(resolver, names, "n7.test", &index), 0);
	assert_int_equal(index, 7);
	names->told = names->count;
	for (size_t i = 0; i < LP_NAMES_MAX; i++)
		assert_ptr_equal(
			lp_names_of_address(names, lp_names_address(i)), names->items[i].host);
	assert_null(lp_names_of_address(names, LP_RESOLVER_FIRST));
	assert_null(lp_names_of_address(names, LP_RESOLVER_FIRST + 255));
	assert_null(lp_names_of_address(names, last + 1));
	assert_null(lp_names_of_address(names, 0));
	for (size_t i = 0; i < LP_NAMES_MAX; i++)
		free(names->items[i].host);
	free(names->items);
	free(names->buckets);
	free(resolver);
}

static void test_floods(void **state)
{
	struct rig rig;
	uint8_t buf[4096];
	size_t len;
	int fd, flood;

	(void)state;
	rig_start(&rig, 0);
	fd = rig_socket(&rig, false);
	flood = rig_socket(&rig, false);
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		len = (size_t)rand() % (i % 100 ? 64 : sizeof(buf));
		for (size_t j = 0; j < len; j++)
			buf[j] = (uint8_t)rand();
		send(flood, buf, len, i % 2 ? MSG_DONTWAIT : 0);
		/* an empty packet is not the end */
		if (i % 1000 == 0)
			send(flood, buf, 0, 0);
		if (i % 500 == 0)
			assert_int_equal(asked(fd, "a.test", LP_DNS_A).records, 1);
	}
	close(flood);
	/* one that asks and never reads: allowed names, so that look-ups wait for it too */
	flood = rig_socket(&rig, false);
	for (unsigned i = 0; i < 5000; i++) {
		len = make_query(buf, i, i % 2 ? "a.test" : "no.example.com", LP_DNS_A, 0);
		send(flood, buf, len, 0);
		if (i % 100 == 0)
			assert_int_equal(asked(fd, "b.test", LP_DNS_A).records, 1);
	}
	while (rig_packet(rig.gate, 0).kind != LP_PACKET_NONE)
		;
	assert_int_equal(asked(fd, "c.test", LP_DNS_A).records, 1);
	assert_int_equal(asked(fd, "flood.test", LP_DNS_A).records, 1);
	close(flood);
	close(fd);
	assert_int_equal(rig_stop(&rig), 0);
}

static size_t make_frame(uint8_t *buf, unsigned id, const char *name)
{
	size_t len = make_query(buf + 2, id, name, LP_DNS_A, 0);

	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	return len + 2;
}

static struct reply receive_frame(int fd)
{
	uint8_t head[2], buf[1024];
	ssize_t n = recv(fd, head, 2, MSG_WAITALL);

	if (n != 2)
		return (struct reply){.code = n == 0 ? -2 : -1};
	n = recv(fd, buf, (size_t)head[0] << 8 | head[1], MSG_WAITALL);
	return parse_reply(buf, (size_t)n);
}

static void test_streams(void **state)
{
	static uint8_t buf[64 * 1024];
	unsigned answered[200] = {0};
	struct rig rig;
	size_t len;
	int fd, other;

	(void)state;
	rig_start(&rig, 0);
	fd = rig_socket(&rig, true);
	/* byte by byte */
	len = make_frame(buf, 3, "a.test");
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(send(fd, buf + i, 1, 0), 1);
		usleep(200);
	}
	assert_int_equal(receive_frame(fd).id, 3);
	/* more at once than one may wait for, and the end behind them */
	len = 0;
	for (unsigned i = 0; i < LP_ARRAY_SIZE(answered); i++) {
		char name[64];

		snprintf(name, sizeof(name), "wait%u.test", i % 70);
		len += make_frame(buf + len, i, name);
	}
	assert_int_equal(send(fd, buf, len, 0), len);
	shutdown(fd, SHUT_WR);
	for (unsigned i = 0; i < LP_ARRAY_SIZE(answered); i++) {
		struct reply reply = receive_frame(fd);

		assert_true(reply.records == 1 && reply.id < LP_ARRAY_SIZE(answered));
		assert_int_equal(answered[reply.id]++, 0);
	}
	assert_int_equal(receive_frame(fd).code, -2);
	close(fd);
	/* too long a message */
	fd = rig_socket(&rig, true);
	send(fd,
		"\xff\xff"
		"abc",
		5, 0);
	assert_true(receive_frame(fd).code < 0);
	close(fd);
	/* never reads: it is closed, and others go on */
	fd = rig_socket(&rig, true);
	len = make_frame(buf, 3, "a.test");
	for (unsigned i = 0; i < 100000; i++)
		if (send(fd, buf, len, MSG_NOSIGNAL) < 0)
			break;
	assert_int_equal(send(fd, buf, len, MSG_NOSIGNAL), -1);
	other = rig_socket(&rig, false);
	assert_int_equal(asked(other, "a.test", LP_DNS_A).records, 1);
	close(other);
	close(fd);
	assert_int_equal(rig_stop(&rig), 0);
}

static void test_proxy(void **state)
{
	struct lp_packet packet;
	unsigned ids[3000] = {0};
	struct rig rig;
	int fd;

	(void)state;
	rig_start(&rig, 0);
	rig_lookup(&rig, 1, "localhost");
	packet = rig_packet(rig.proxy, 5000);
	assert_int_equal(packet.kind, LP_PACKET_ADDRESSES);
	assert_int_equal(packet.id, 1);
	assert_int_equal(packet.error, 0);
	assert_true(packet.count >= 1 && lp_address_is_loopback(&packet.addresses[0]));
	rig_lookup(&rig, 2, "none.test");
	packet = rig_packet(rig.proxy, 5000);
	assert_true(packet.id == 2 && packet.error == ENOENT && packet.count == 0);
	rig_lookup(&rig, 3, "trouble.test");
	assert_int_equal(rig_packet(rig.proxy, 5000).error, EAGAIN);
	rig_lookup(&rig, 4, "Not.Canonical");
	assert_int_equal(rig_packet(rig.proxy, 5000).error, ENOENT);
	rig_lookup(&rig, 5, "-h.test");
	assert_int_equal(rig_packet(rig.proxy, 5000).error, ENOENT);
	/* nothing of this is for the gate */
	assert_int_equal(rig_packet(rig.gate, 50).kind, LP_PACKET_NONE);
	/* a proxy that does not read yet */
	for (unsigned i = 0; i < 800; i++)
		rig_lookup(&rig, i, i % 2 ? "localhost" : "a.test");
	fd = rig_socket(&rig, false);
	assert_int_equal(asked(fd, "b.test", LP_DNS_A).records, 1);
	for (unsigned i = 0; i < 800; i++) {
		packet = rig_packet(rig.proxy, 5000);
		assert_true(packet.kind == LP_PACKET_ADDRESSES && packet.id < 800);
		assert_int_equal(ids[packet.id]++, 0);
	}
	/* and one that goes away */
	rig_lookup(&rig, 9, "wait.test");
	shutdown(rig.proxy, SHUT_RDWR);
	assert_int_equal(asked(fd, "c.test", LP_DNS_A).records, 1);
	usleep(400000);
	assert_int_equal(asked(fd, "d.test", LP_DNS_A).records, 1);
	close(fd);
	assert_int_equal(rig_stop(&rig), 0);
}

static void test_shared(void **state)
{
	enum { SOCKETS = 300 };
	int fds[SOCKETS];
	struct rig rig;

	(void)state;
	rig_start(&rig, 0);
	for (unsigned i = 0; i < SOCKETS; i++) {
		fds[i] = rig_socket(&rig, false);
		ask(fds[i], i, "wait.test", LP_DNS_A);
	}
	rig_lookup(&rig, 1, "wait.test");
	/* gone before the answer comes */
	for (unsigned i = 0; i < SOCKETS / 2; i++)
		close(fds[i]);
	for (unsigned i = SOCKETS / 2; i < SOCKETS; i++) {
		assert_int_equal(receive(fds[i], 5000).address, LP_RESOLVER_FIRST + 1);
		close(fds[i]);
	}
	assert_int_equal(rig_packet(rig.proxy, 5000).count, 1);
	assert_int_equal(seen->execs, 1);
	assert_int_equal(rig_stop(&rig), 0);
}

/* The descriptors are few: the longest idle sockets make room. */
static void test_many_sockets(void **state)
{
	enum { SOCKETS = 900 };
	int fds[SOCKETS];
	struct rig rig;

	(void)state;
	rig_start(&rig, 400);
	for (unsigned i = 0; i < SOCKETS; i++)
		fds[i] = rig_socket(&rig, i % 2);
	assert_int_equal(asked(fds[SOCKETS - 2], "a.test", LP_DNS_A).records, 1);
	assert_int_equal(receive(fds[0], 5000).code, -2);
	for (unsigned i = 0; i < SOCKETS; i++)
		close(fds[i]);
	assert_int_equal(rig_stop(&rig), 0);
}

static void test_slow(void **state)
{
	struct rig rig;
	char name[64];
	int fd;

	(void)state;
	rig_start(&rig, 0);
	fd = rig_socket(&rig, false);
	/* all children are held up, and more are waiting */
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%s%u.test", i % 2 ? "slow" : "closed", i);
		ask(fd, i, name, LP_DNS_A);
	}
	assert_int_equal(receive(fd, 9000).code, -1);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(receive(fd, 3000).code, LP_DNS_SERVFAIL);
	/* ends at once though children run */
	assert_int_equal(rig_stop(&rig), 0);
	close(fd);
}

static void test_no_getent(void **state)
{
	struct rig rig;
	int fd;

	(void)state;
	hide_getent = true;
	rig_start(&rig, 0);
	hide_getent = false;
	fd = rig_socket(&rig, false);
	assert_int_equal(asked(fd, "localhost", LP_DNS_A).records, 1);
	assert_int_equal(seen->execs, 0);
	close(fd);
	assert_int_equal(rig_stop(&rig), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_gate_behind),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_many_sockets),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_no_getent),
	};

	return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}

/*
 * probe-net: one act that programs do not do and attackers do, and how it ended.
 *
 *     probe-net ACT [ARG...]
 *
 * prints "ok" or the name of the errno and exits 0 or 1; acts that ask for more print it. Exit 2:
 * it was called wrongly. It is run bare and inside the pen; a static build needs nothing of the
 * file system but itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* An act that has printed its own answer returns this instead of 0 or -errno. */
enum { ACT_PRINTED = 1 };

#define FAST_OPEN 0x20000000

static long number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "probe-net: %s is not a number\n", text);
		exit(2);
	}
	return value;
}

static int result(long r)
{
	return r < 0 ? -errno : 0;
}

static struct sockaddr_in ipv4(const char *address, const char *port)
{
	struct sockaddr_in made = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)number(port))};

	if (inet_pton(AF_INET, address, &made.sin_addr) != 1)
		exit(2);
	return made;
}

static int tcp(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void pause_ns(long ns)
{
	for (volatile long i = 0; i < ns; i++)
		;
}

/* ---- sends that name where they go --------------------------------------------------------------
 */

static void fill(struct mmsghdr *ret_message, struct sockaddr_in *to, struct iovec *data)
{
	memset(ret_message, 0, sizeof(*ret_message));
	ret_message->msg_hdr.msg_name = to;
	ret_message->msg_hdr.msg_namelen = sizeof(*to);
	ret_message->msg_hdr.msg_iov = data;
	ret_message->msg_hdr.msg_iovlen = 1;
}

/* ADDRESS PORT FLAGS: sendmmsg() on a fresh TCP socket */
static int act_send_many(char **argv)
{
	struct sockaddr_in to = ipv4(argv[0], argv[1]);
	char byte = 'x';
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct mmsghdr messages[2];

	fill(&messages[0], &to, &data);
	fill(&messages[1], &to, &data);
	return result(syscall(SYS_sendmmsg, tcp(), messages, 2, number(argv[2])));
}

/* ADDRESS PORT: MSG_FASTOPEN with the flags' upper half set, which the kernel does not see */
static int act_fast_open_high(char **argv)
{
	struct sockaddr_in to = ipv4(argv[0], argv[1]);

	return result(syscall(
		SYS_sendto, tcp(), "x", 1, 0xffffffff00000000UL | FAST_OPEN, &to, sizeof(to)));
}

/* ADDRESS PORT: a datagram to where no rule leads, on a socket that resolves names */
static int act_send_datagrams(char **argv)
{
	struct sockaddr_in to = ipv4(argv[0], argv[1]);
	char text[] = "leak";
	struct iovec data = {.iov_base = text, .iov_len = 4};
	struct mmsghdr messages[1];
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	fill(messages, &to, &data);
	if (fd < 0)
		return -errno;
	sendto(fd, "leak", 4, 0, (struct sockaddr *)&to, sizeof(to));
	sendmsg(fd, &messages[0].msg_hdr, 0);
	sendmmsg(fd, messages, 1, 0);
	/* it may be a unix socket in truth */
	snprintf(path.sun_path, sizeof(path.sun_path), "%s", argv[2]);
	sendto(fd, "leak", 4, 0, (struct sockaddr *)&path, sizeof(path));
	r = connect(fd, (struct sockaddr *)&path, sizeof(path));
	return result(r);
}

/* ---- other ways to the same call
 * ------------------------------------------------------------------ */

/* ADDRESS PORT: connect() of the 32-bit calls, by int 0x80 */
static int act_connect_int80(char **argv)
{
#ifdef __x86_64__
	struct sockaddr_in *to = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long r;

	if (to == MAP_FAILED)
		return -errno;
	*to = ipv4(argv[0], argv[1]);
	/* 359: socket, 362: connect */
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(359L), "b"(2L), "c"(1L), "d"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	if (r >= 0)
		__asm__ volatile("int $0x80"
				 : "=a"(r)
				 : "a"(362L), "b"(r), "c"(to), "d"(16L)
				 : "memory", "r8", "r9", "r10", "r11");
	return (int)r < 0 ? (int)r : 0;
#else
	(void)argv;
	return -ENOSYS;
#endif
}

/* ADDRESS PORT: by the x32 number */
static int act_connect_x32(char **argv)
{
	struct sockaddr_in to = ipv4(argv[0], argv[1]);

	return result(syscall(0x40000000 | SYS_connect, tcp(), &to, sizeof(to)));
}

struct ring {
	int fd;
	unsigned *tail, *array, *head;
	struct io_uring_cqe *cqes;
	struct io_uring_sqe *sqes;
};

static int make_ring(struct ring *ring)
{
	struct io_uring_params params = {0};
	char *sq, *cq;

	ring->fd = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (ring->fd < 0)
		return -errno;
	sq = mmap(NULL, params.sq_off.array + 4 * sizeof(unsigned), PROT_READ | PROT_WRITE,
		MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, params.cq_off.cqes + 8 * sizeof(struct io_uring_cqe),
		PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, 4 * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
		ring->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -errno;
	ring->tail = (unsigned *)(sq + params.sq_off.tail);
	ring->array = (unsigned *)(sq + params.sq_off.array);
	ring->head = (unsigned *)(cq + params.cq_off.head);
	ring->cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
	return 0;
}

/* ADDRESS PORT: a connection asked for in a ring */
static int act_connect_ring(char **argv)
{
	struct sockaddr_in to = ipv4(argv[0], argv[1]);
	struct ring ring = {0};
	int r = make_ring(&ring);

	if (r < 0)
		return r;
	ring.sqes[0] = (struct io_uring_sqe){.opcode = IORING_OP_CONNECT,
		.fd = tcp(),
		.addr = (uint64_t)(uintptr_t)&to,
		.off = sizeof(to)};
	ring.array[0] = 0;
	__atomic_store_n(ring.tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	return ring.cqes[0].res < 0 ? ring.cqes[0].res : 0;
}

/* ADDRESS PORT: a TCP socket that is to become one of another kind (SMC, TLS) */
static int act_upgrade(char **argv)
{
	struct sockaddr_in to = ipv4(argv[0], argv[1]);
	int fd = tcp(), family = 0;
	socklen_t len = sizeof(family);

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, argv[2], (socklen_t)strlen(argv[2])) < 0)
		return -errno;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	printf("family %d ", family);
	return result(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

/* FIRST FIRST-PORT SECOND SECOND-PORT: to the first, undone, then to the second */
static int act_reconnect(char **argv)
{
	struct sockaddr_in first = ipv4(argv[0], argv[1]), second = ipv4(argv[2], argv[3]);
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	char bytes[8];
	int fd = tcp();

	if (connect(fd, (struct sockaddr *)&first, sizeof(first)) < 0)
		return -errno;
	if (connect(fd, &none, sizeof(none)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&second, sizeof(second)) < 0)
		return -errno;
	if (send(fd, "x\r\n", 3, MSG_NOSIGNAL) < 0)
		return -errno;
	return recv(fd, bytes, sizeof(bytes), 0) > 0 ? 0 : -ECONNRESET;
}

/* A loose source route: by way of hop. */
static int set_route(int fd, const char *hop)
{
	unsigned char options[8] = {1, 131, 7, 4};

	if (inet_pton(AF_INET, hop, options + 4) != 1)
		exit(2);
	return result(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)));
}

/* ADDRESS PORT HOP early|late: connects by way of another machine, or sends so once connected */
static int act_source_route(char **argv)
{
	struct sockaddr_in to = ipv4(argv[0], argv[1]);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r = 0;
	struct pollfd waits = {.fd = fd, .events = POLLOUT};
	bool early = !strcmp(argv[3], "early");

	if (early)
		r = set_route(fd, argv[2]);
	if (r < 0)
		return r;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	poll(&waits, 1, 500);
	if (!early)
		r = set_route(fd, argv[2]);
	if (r < 0)
		return r;
	send(fd, "leak\r\n", 6, MSG_NOSIGNAL);
	poll(NULL, 0, 500);
	return 0;
}

/* ADDRESS PORT: with every length that a socket address may have; says which were connected */
static int act_lengths(char **argv)
{
	struct sockaddr_storage to = {0};
	struct sockaddr_in in = ipv4(argv[0], argv[1]);
	unsigned connected = 0;

	for (int family = 0; family < 46; family++)
		for (int length = -1; length <= 130; length++) {
			int fd = tcp();

			memcpy(&to, &in, sizeof(in));
			to.ss_family = (sa_family_t)family;
			if ((family != AF_INET || length < 16) && family &&
				connect(fd, (struct sockaddr *)&to, (socklen_t)length) == 0)
				connected++;
			close(fd);
		}
	printf("%u connected\n", connected);
	return ACT_PRINTED;
}

/* ---- landpen's own processes
 * ------------------------------------------------------------------------- */

static void told(const char *what, pid_t pid, long r)
{
	if (r >= 0)
		printf("%s %d\n", what, pid);
}

/* readable: opening means nothing, as with a process that has ended */
static void open_proc(pid_t pid, const char *file, int flags, bool readable)
{
	char path[96], byte;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, flags | O_CLOEXEC);
	told(file, pid, fd >= 0 && readable ? read(fd, &byte, 1) - 1 : fd);
	if (fd >= 0)
		close(fd);
}

static void try_process(pid_t pid)
{
	static char bytes[8];
	struct iovec own = {bytes, sizeof(bytes)}, other = {(void *)0x400000, sizeof(bytes)};
	struct rlimit limit;
	siginfo_t info = {.si_code = SI_QUEUE};
	cpu_set_t cpus;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	for (int fd = 0; pidfd >= 0 && fd < 64; fd++)
		told("pidfd_getfd", pid, syscall(SYS_pidfd_getfd, pidfd, fd, 0));
	told("process_vm_readv", pid, process_vm_readv(pid, &own, 1, &other, 1, 0));
	told("process_vm_writev", pid, process_vm_writev(pid, &own, 1, &other, 1, 0));
	open_proc(pid, "mem", O_RDWR, false);
	open_proc(pid, "maps", O_RDONLY, true);
	open_proc(pid, "environ", O_RDONLY, true);
	open_proc(pid, "fd/0", O_RDWR, false);
	open_proc(pid, "fd/3", O_RDWR, false);
	open_proc(pid, "fd/4", O_RDWR, false);
	open_proc(pid, "root/etc/passwd", O_RDONLY, true);
	open_proc(pid, "cwd", O_RDONLY, false);
	open_proc(pid, "ns/net", O_RDONLY, false);
	open_proc(pid, "syscall", O_RDONLY, true);
	told("prlimit", pid, prlimit(pid, RLIMIT_NOFILE, &(struct rlimit){4, 4}, &limit));
	told("sched_setaffinity", pid, sched_setaffinity(pid, sizeof(cpus), &cpus));
	told("setpriority", pid, setpriority(PRIO_PROCESS, (id_t)pid, 19));
	told("ptrace", pid, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	told("rt_sigqueueinfo", pid, syscall(SYS_rt_sigqueueinfo, pid, SIGSTOP, &info));
	told("tgkill", pid, syscall(SYS_tgkill, pid, pid, SIGSTOP));
	told("tkill", pid, syscall(SYS_tkill, pid, SIGSTOP));
	if (pidfd >= 0)
		told("pidfd_send_signal", pid,
			syscall(SYS_pidfd_send_signal, pidfd, SIGSTOP, NULL, 0));
	told("kill", pid, kill(pid, SIGKILL));
}

/* PID...: tries all that one process can do to another; says what was possible, and with how many.
 */
static int act_attack(char **argv)
{
	unsigned count = 0;

	for (; *argv; argv++, count++)
		try_process((pid_t)number(*argv));
	printf("tried %u\n", count);
	return ACT_PRINTED;
}

/* ---- races with the gate
 * ----------------------------------------------------------------------------- */

static atomic_bool over, idle;
static atomic_int phase;
static const char *victim_path;
static struct sockaddr_in shared, wanted[2];
static int target;

static bool exchange(void)
{
	return syscall(SYS_renameat2, AT_FDCWD, victim_path, AT_FDCWD, "own", 2) == 0;
}

static void *exchange_when_bound(void *unused)
{
	int running = 1;

	(void)unused;
	while (!over) {
		if (phase != 1) {
			idle = true;
			sched_yield();
			continue;
		}
		/* fails until the name is there: then at once */
		if (exchange() && !atomic_compare_exchange_strong(&phase, &running, 2)) {
			exchange(); /* too late */
			running = 1;
		}
	}
	return NULL;
}

static bool connects(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	r = connect(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return r == 0;
}

/*
 * TRIES PATH: binds a socket of its own while another thread puts the socket PATH of somebody else,
 * in the same folder, in its place; then connects to that.
 */
static int act_race_file(char **argv)
{
	const struct sockaddr_un own = {.sun_family = AF_UNIX, .sun_path = "own"};
	unsigned reached = 0, swapped = 0;
	pthread_t thread;

	victim_path = argv[1];
	pthread_create(&thread, NULL, exchange_when_bound, NULL);
	for (long i = number(argv[0]); i > 0; i--) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), running = 1;

		unlink("own");
		phase = 1;
		if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0)
			listen(fd, 1);
		for (int wait = 0; phase == 1 && wait < 1000; wait++)
			sched_yield();
		if (atomic_compare_exchange_strong(&phase, &running, 0)) {
			idle = false; /* not this time: wait until nobody meddles any more */
			while (!idle)
				sched_yield();
		} else {
			swapped++;
			reached += connects("own"); /* which is the victim */
			exchange();
			phase = 0;
		}
		close(fd);
	}
	over = true;
	pthread_join(thread, NULL);
	printf("swapped %u reached %u\n", swapped, reached);
	return ACT_PRINTED;
}

static void *swap_bound_address(void *unused)
{
	(void)unused;
	for (unsigned i = 0; !over; i++) {
		memcpy(&shared, &wanted[i & 1], sizeof(shared));
		pause_ns((i * 7919) % 3000);
	}
	return NULL;
}

static bool is_wide(int fd)
{
	struct sockaddr_in bound = {0};
	socklen_t len = sizeof(bound);

	return getsockname(fd, (struct sockaddr *)&bound, &len) == 0 && bound.sin_port &&
	       ntohl(bound.sin_addr.s_addr) >> 24 != 127;
}

/* TRIES ADDRESS: the address to bind changes between loopback and ADDRESS */
static int act_race_bind(char **argv)
{
	unsigned bound = 0, wide = 0;
	pthread_t thread;

	wanted[0] = ipv4("127.0.0.1", "0");
	wanted[1] = ipv4(argv[1], "0");
	shared = wanted[0];
	pthread_create(&thread, NULL, swap_bound_address, NULL);
	for (long i = number(argv[0]); i > 0; i--) {
		int fd = tcp();

		if (bind(fd, (struct sockaddr *)&shared, sizeof(shared)) == 0) {
			bound++;
			wide += is_wide(fd);
		}
		close(fd);
	}
	over = true;
	pthread_join(thread, NULL);
	printf("bound %u wide %u\n", bound, wide);
	return ACT_PRINTED;
}

static void *reset_while_listening(void *unused)
{
	unsigned seed = 1;

	(void)unused;
	while (!over) {
		if (phase != 1)
			continue;
		pause_ns(rand_r(&seed) % 40000);
		shutdown(target, SHUT_RDWR);
		phase = 2;
	}
	return NULL;
}

/*
 * TRIES: a socket that is about to be connected has a loopback address until it is shut down; then
 * it has none, and listening takes them all. The connection is kept waiting by a full queue.
 */
static int act_race_listen(char **argv)
{
	struct sockaddr_in to = ipv4("127.0.0.1", "0");
	socklen_t len = sizeof(to);
	unsigned listening = 0, wide = 0, waiting = 0;
	int server = tcp(), fillers[8];
	pthread_t thread;

	if (bind(server, (struct sockaddr *)&to, len) < 0 || listen(server, 0) < 0 ||
		getsockname(server, (struct sockaddr *)&to, &len) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fillers[i], (struct sockaddr *)&to, sizeof(to));
	}
	pthread_create(&thread, NULL, reset_while_listening, NULL);
	for (long i = number(argv[0]); i > 0; i--) {
		int accepts = 0;
		socklen_t size = sizeof(accepts);

		target = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(target, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EINPROGRESS)
			waiting++;
		phase = 1;
		if (listen(target, 1) == 0)
			listening++;
		while (phase == 1)
			;
		phase = 0;
		if (getsockopt(target, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts)
			wide += is_wide(target);
		close(target);
	}
	over = true;
	pthread_join(thread, NULL);
	printf("waiting %u listening %u wide %u\n", waiting, listening, wide);
	return ACT_PRINTED;
}

/*
 * PORT: listens beside a server outside that shares its port (SO_REUSEPORT), then connects; says
 * how many of 64 connections came to that server, by what it says first.
 */
static int act_share_port(char **argv)
{
	struct sockaddr_in to = ipv4("127.0.0.1", argv[0]);
	const int on = 1;
	unsigned own = 0, other = 0, refused = 0;
	int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool listens;

	setsockopt(server, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	listens = bind(server, (struct sockaddr *)&to, sizeof(to)) == 0 && listen(server, 64) == 0;
	if (!listens)
		fprintf(stderr, "does not listen: %s\n", strerror(errno));
	for (int i = 0; i < 64; i++) {
		int fd = tcp(), accepted;
		struct pollfd waits = {.fd = server, .events = POLLIN};

		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
			refused++;
		} else if (listens && poll(&waits, 1, 50) == 1 &&
			   (accepted = accept(server, NULL, NULL)) >= 0) {
			own++;
			close(accepted);
		} else {
			other++;
		}
		close(fd);
	}
	printf("own %u other %u refused %u\n", own, other, refused);
	return ACT_PRINTED;
}

/* --------------------------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	int args;
	int (*run)(char **argv);
} acts[] = {
	{"send-many", 3, act_send_many},
	{"fast-open-high", 2, act_fast_open_high},
	{"send-datagrams", 3, act_send_datagrams},
	{"connect-int80", 2, act_connect_int80},
	{"connect-x32", 2, act_connect_x32},
	{"connect-ring", 2, act_connect_ring},
	{"upgrade", 3, act_upgrade},
	{"reconnect", 4, act_reconnect},
	{"source-route", 4, act_source_route},
	{"lengths", 2, act_lengths},
	{"attack", 1, act_attack},
	{"race-file", 2, act_race_file},
	{"race-bind", 2, act_race_bind},
	{"race-listen", 1, act_race_listen},
	{"share-port", 1, act_share_port},
};

static const char *name_of(int error)
{
	static const char *const names[] = {[EPERM] = "EPERM",
		[ENOENT] = "ENOENT",
		[EINTR] = "EINTR",
		[EIO] = "EIO",
		[EBADF] = "EBADF",
		[EACCES] = "EACCES",
		[EFAULT] = "EFAULT",
		[EINVAL] = "EINVAL",
		[EPIPE] = "EPIPE",
		[ENOSYS] = "ENOSYS",
		[ENOTSOCK] = "ENOTSOCK",
		[EOPNOTSUPP] = "EOPNOTSUPP",
		[EAFNOSUPPORT] = "EAFNOSUPPORT",
		[EADDRINUSE] = "EADDRINUSE",
		[ENETUNREACH] = "ENETUNREACH",
		[ECONNRESET] = "ECONNRESET",
		[EISCONN] = "EISCONN",
		[ENOTCONN] = "ENOTCONN",
		[ETIMEDOUT] = "ETIMEDOUT",
		[ECONNREFUSED] = "ECONNREFUSED",
		[EINPROGRESS] = "EINPROGRESS",
		[EAGAIN] = "EAGAIN"};

	if (error < (int)(sizeof(names) / sizeof(names[0])) && names[error])
		return names[error];
	return strerror(error);
}

int main(int argc, char **argv)
{
	signal(SIGSYS, SIG_DFL);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		int r;

		if (argc < 2 || strcmp(argv[1], acts[i].name) || argc - 2 < acts[i].args)
			continue;
		r = acts[i].run(argv + 2);
		if (r != ACT_PRINTED)
			puts(r < 0 ? name_of(-r) : "ok");
		return r < 0;
	}
	fprintf(stderr, "usage: probe-net ACT [ARG...]\n");
	return 2;
}

/*
 * One look-up: a child runs the system's own `getent ahosts NAME`, so that /etc/hosts, nsswitch and
 * systemd-resolved are obeyed as they are everywhere else on the machine.
 *
 * Runs in the resolver; the children inherit its confinement. NAME is canonical and does not start
 * with '-'. What a child prints is bounded and parsed strictly; a silent one is ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "resolver/parts.h"

/* getent's exit codes */
#define EXIT_NOT_FOUND 2
#define EXIT_TROUBLE   3

/* What getent does, for hosts that have none. */
static int print_addresses(const char *host)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int r = getaddrinfo(host, NULL, &hints, &list);

	if (r == EAI_NONAME)
		return EXIT_NOT_FOUND;
	if (r != 0)
		return EXIT_TROUBLE;
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		char text[INET6_ADDRSTRLEN];
		const void *address =
			at->ai_family == AF_INET
				? (void *)&((struct sockaddr_in *)at->ai_addr)->sin_addr
				: (void *)&((struct sockaddr_in6 *)at->ai_addr)->sin6_addr;

		if (inet_ntop(at->ai_family, address, text, sizeof(text)))
			dprintf(STDOUT_FILENO, "%s STREAM\n", text);
	}
	return 0;
}

/* In the child, which may die. */
__attribute__((noreturn)) static void run_child(const char *getent, const char *host, int out)
{
	char *argv[] = {(char *)"getent", (char *)"ahosts", (char *)host, NULL};
	char *environment[] = {(char *)"PATH=/usr/bin:/bin", NULL};
	sigset_t none;

	sigemptyset(&none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(out, STDOUT_FILENO) < 0 || lp_close_from(STDERR_FILENO + 1) < 0)
		_exit(EXIT_TROUBLE);
	if (getent) {
		execve(getent, argv, environment);
		_exit(EXIT_TROUBLE);
	}
	_exit(print_addresses(host));
}

/* Reads what there is. False: it is more than is wanted. */
static bool read_output(struct lp_child *child)
{
	while (child->watch.fd >= 0 && child->len < sizeof(child->output)) {
		ssize_t n = read(child->watch.fd, child->output + child->len,
			sizeof(child->output) - child->len);

		if (n <= 0)
			return true;
		child->len += (size_t)n;
	}
	return child->len < sizeof(child->output);
}

static void pipe_ready(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events)
{
	struct lp_child *child = (struct lp_child *)watch;

	if (!read_output(child))
		kill(child->pid, SIGKILL);
	else if (!(events & EPOLLHUP))
		return;
	/* SIGCHLD says the rest */
	lp_watch_close(resolver, watch);
}

int lp_child_start(struct lp_resolver *resolver, struct lp_lookup *lookup)
{
	struct lp_child *child = resolver->children;
	int ends[2], r;

	while (child < resolver->children + LP_CHILDREN_MAX && child->pid)
		child++;
	if (child == resolver->children + LP_CHILDREN_MAX)
		return -EBUSY;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child->watch = (struct lp_watch){.fd = ends[0], .ready = pipe_ready};
	r = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0
		    ? -errno
		    : lp_watch_set(resolver, &child->watch, EPOLLIN);
	if (r == 0) {
		child->pid = fork();
		if (child->pid == 0)
			run_child(resolver->getent, lookup->host, ends[1]);
		if (child->pid < 0)
			r = -errno;
	}
	close(ends[1]);
	if (r < 0) {
		child->pid = 0;
		lp_watch_close(resolver, &child->watch);
		return r;
	}
	child->lookup = lookup;
	child->len = 0;
	child->deadline = resolver->now + LP_LOOKUP_SECONDS * 1000;
	return 0;
}

static void finish(struct lp_resolver *resolver, struct lp_child *child, int status)
{
	struct lp_lookup *lookup = child->lookup;
	uint32_t error = 0;

	read_output(child);
	if (child->watch.fd >= 0)
		lp_watch_close(resolver, &child->watch);
	child->pid = 0;
	child->lookup = NULL;
	if (!lookup)
		return;
	lookup->count = (uint32_t)lp_ahosts_parse(child->output, child->len, lookup->addresses);
	if (!lookup->count) {
		bool is_answer = WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_NOT_FOUND ||
							      WEXITSTATUS(status) == 0);

		error = is_answer ? ENOENT : EAGAIN;
	}
	lp_lookup_finish(resolver, lookup, error);
}

void lp_children_ready(struct lp_resolver *resolver, struct lp_watch *watch, uint32_t events)
{
	struct signalfd_siginfo info[8];

	(void)events;
	while (read(watch->fd, info, sizeof(info)) > 0)
		;
	for (size_t i = 0; i < LP_CHILDREN_MAX; i++) {
		struct lp_child *child = &resolver->children[i];
		int status;

		if (child->pid && waitpid(child->pid, &status, WNOHANG) == child->pid)
			finish(resolver, child, status);
	}
}

int lp_children_expire(struct lp_resolver *resolver)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < LP_CHILDREN_MAX; i++) {
		struct lp_child *child = &resolver->children[i];
		struct lp_lookup *lookup = child->lookup;

		if (!lookup)
			continue;
		if (resolver->now < child->deadline) {
			if (child->deadline < next)
				next = child->deadline;
			continue;
		}
		/* the slot is free when it is gone, which a stuck file system can delay */
		kill(child->pid, SIGKILL);
		child->lookup = NULL;
		lp_lookup_finish(resolver, lookup, ETIMEDOUT);
	}
	return next == UINT64_MAX ? -1 : (int)(next - resolver->now);
}

void lp_children_kill(struct lp_resolver *resolver)
{
	for (size_t i = 0; i < LP_CHILDREN_MAX; i++)
		if (resolver->children[i].pid)
			kill(resolver->children[i].pid, SIGKILL);
}

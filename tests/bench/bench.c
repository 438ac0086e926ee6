/*
 * The measuring half of the benchmark; start.sh drives it.
 *
 *     bench spawn ROUNDS FILE      each line of FILE is a command; prints for each the median time
 *                                  of fork+exec+wait in µs and the peak memory in KiB, all commands
 *                                  taking turns, so that what disturbs one disturbs all
 *     bench minimal N CMD...       a launcher that does nothing but Landlock with N rules, and
 * execs bench opens COUNT FILE       ns for one open+close of FILE, the best of 20 rounds
 *     bench creates COUNT DIR      makes DIR/new, and files in it: us for one create+write+close
 *     bench cycles COUNT DIR       us for one create, rename and remove in DIR
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/kernel.h"

#define NR_LANDLOCK_CREATE 444
#define MAX_COMMANDS       16
#define MAX_WORDS          64
#define MAX_ROUNDS         2000

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

struct command {
	char *words[MAX_WORDS];
	double times[MAX_ROUNDS];
	long peak;
};

static double run_once(struct command *command)
{
	double start = now_us();
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(command->words[0], command->words);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0) {
		fprintf(stderr, "%s failed\n", command->words[0]);
		exit(1);
	}
	if (usage.ru_maxrss > command->peak)
		command->peak = usage.ru_maxrss;
	return now_us() - start;
}

static int ascending(const void *a, const void *b)
{
	double one = *(const double *)a, two = *(const double *)b;

	return (one > two) - (one < two);
}

static int spawn(int rounds, const char *file)
{
	static struct command commands[MAX_COMMANDS];
	static char lines[MAX_COMMANDS][4096];
	FILE *in = fopen(file, "r");
	int count = 0;

	if (!in || rounds < 1 || rounds > MAX_ROUNDS)
		die(file);
	while (count < MAX_COMMANDS && fgets(lines[count], sizeof(lines[0]), in)) {
		char *rest = NULL, *word = strtok_r(lines[count], " \n", &rest);

		for (int i = 0; word && i < MAX_WORDS - 1; i++) {
			commands[count].words[i] = word;
			word = strtok_r(NULL, " \n", &rest);
		}
		count++;
	}
	fclose(in);
	for (int round = -3; round < rounds; round++)
		for (int i = 0; i < count; i++) {
			double time = run_once(&commands[i]);

			if (round >= 0)
				commands[i].times[round] = time;
		}
	for (int i = 0; i < count; i++) {
		qsort(commands[i].times, (size_t)rounds, sizeof(double), ascending);
		printf("%.1f %ld\n", commands[i].times[rounds / 2], commands[i].peak);
	}
	return 0;
}

static int minimal(int rules, char **argv)
{
	/* the tree, then names beside the way to what is opened, as landpen's own rules are */
	static const char *const paths[] = {"/", "/dev/null", "/dev/zero", "/dev/full",
		"/dev/random", "/dev/urandom", "/dev/tty", "/tmp", "/dev/ptmx", "/srv", "/mnt",
		"/opt", "/boot", "/media", "/sys", "/proc"};
	int abi = (int)syscall(NR_LANDLOCK_CREATE, NULL, 0, LP_LL_CREATE_VERSION);
	struct lp_landlock_attr attr = lp_landlock_known(abi);
	int ruleset = lp_landlock_create(&attr), added = 0;

	for (size_t i = 0; i < LP_ARRAY_SIZE(paths) && added < rules; i++) {
		int fd = open(paths[i], O_PATH | O_CLOEXEC);

		if (fd < 0)
			continue;
		added += lp_landlock_add_path(ruleset, fd,
				 i ? LP_FS_READ_FILE
				   : LP_FS_EXECUTE | LP_FS_READ_FILE | LP_FS_READ_DIR) == 0;
		close(fd);
	}
	if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		lp_landlock_restrict(ruleset) < 0)
		die("landlock");
	execv(argv[0], argv);
	die(argv[0]);
	return 1;
}

static int opens(int count, const char *file)
{
	double best = 1e12;

	for (int round = 0; round < 20; round++) {
		double start = now_us(), each;

		for (int i = 0; i < count; i++) {
			int fd = open(file, O_RDONLY | O_CLOEXEC);

			if (fd < 0)
				die(file);
			close(fd);
		}
		each = (now_us() - start) * 1e3 / count;
		if (each < best)
			best = each;
	}
	printf("%.1f\n", best);
	return 0;
}

static void make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0 || write(fd, "some content\n", 13) != 13)
		die(name);
	close(fd);
}

static int creates(int count, const char *dir)
{
	char name[32];
	double start;
	int fd;

	if (chdir(dir) < 0 || mkdir("new", 0777) < 0)
		die(dir);
	fd = open("new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	start = now_us();
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		make_file(fd, name);
	}
	printf("%.2f\n", (now_us() - start) / count);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		unlinkat(fd, name, 0);
	}
	return rmdir("new") < 0;
}

static int cycles(int count, const char *dir)
{
	double start = now_us();

	if (chdir(dir) < 0)
		die(dir);
	for (int i = 0; i < count; i++) {
		make_file(AT_FDCWD, "one");
		if (rename("one", "two") < 0 || unlink("two") < 0)
			die(dir);
	}
	printf("%.2f\n", (now_us() - start) / count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "spawn"))
		return spawn((int)strtol(argv[2], NULL, 10), argv[3]);
	if (argc >= 4 && !strcmp(argv[1], "minimal"))
		return minimal((int)strtol(argv[2], NULL, 10), argv + 3);
	if (argc == 4 && !strcmp(argv[1], "opens"))
		return opens((int)strtol(argv[2], NULL, 10), argv[3]);
	if (argc == 4 && !strcmp(argv[1], "creates"))
		return creates((int)strtol(argv[2], NULL, 10), argv[3]);
	if (argc == 4 && !strcmp(argv[1], "cycles"))
		return cycles((int)strtol(argv[2], NULL, 10), argv[3]);
	fprintf(stderr, "usage: see the head of bench.c\n");
	return 2;
}

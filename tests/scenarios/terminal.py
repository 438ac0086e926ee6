#!/usr/bin/env python3
"""Job control, signals and terminals with a real terminal; prints TAP.

    terminal.py [--filter REGEX] [--backend bare|landlock|bwrap] [--user root|user] [--jobs N]

Every test is run three times, as root and as an ordinary user: bare, which shows that the test asks
for what happens without landpen, and with both back ends. LANDPEN and PROBE name the programs as
for ./run; LANDPEN_NO_SKIP=1 turns a skip into a failure.
"""
import argparse
import fcntl
import os
import pwd
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 10  # seconds until something that should come is missed
QUIET = 0.4  # seconds in which something that should not come does not
TESTS = []


def test(what):
    def add(function):
        TESTS.append((function.__name__.replace("_", "-"), what, function))
        return function

    return add


class Failure(Exception):
    pass


def until(condition, what, patience=PATIENCE):
    """Waits for condition() and returns what it returned."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failure("waited in vain for " + what)


def processes(marker):
    """The processes that carry marker in their command line."""
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                text = file.read()
            with open(f"/proc/{pid}/stat", "rb") as file:
                state = file.read().rsplit(b")", 1)[1].split()[0]
        except OSError:
            continue
        if marker.encode() in text and state != b"Z":
            found.append((int(pid), text.split(b"\0"), state.decode()))
    return found


class Pen:
    """One run: a fresh home and project, a terminal if wanted, and what came out of it."""

    def __init__(self, backend, programs, base):
        self.backend, self.programs = backend, programs
        self.case = tempfile.mkdtemp(prefix="t", dir=base)
        self.home = self.case + "/home"
        self.project = self.home + "/project"
        self.tmp = self.case + "/tmp"
        os.makedirs(self.project)
        os.mkdir(self.tmp)
        self.marker = "marker" + os.path.basename(self.case)
        self.env = {
            "PATH": PATH, "HOME": self.home, "TMPDIR": self.tmp, "LANG": "C.UTF-8",
            "TERM": "xterm", "SHELL": "/bin/bash", "PS1": "$ ",
            "USER": pwd.getpwuid(os.getuid()).pw_name,
        }
        self.master = self.pid = self.status = None
        self.output = ""

    def command(self, *argv, options=()):
        """The command line that runs argv in the pen, or bare."""
        if self.backend == "bare":
            return list(argv)
        return [self.programs["landpen"], "-q", "--backend", self.backend,
                "--ro", self.programs["bin"], *options, "--", *argv]

    def start(self, *argv, shell=False, ignore=(), block=(), **words):
        """Runs argv in the pen as the leader of a new terminal's session, or a shell outside."""
        if self.master is not None:
            self.hang_up()
        line = list(argv) if shell else self.command(*argv, **words)
        self.master, slave = os.openpty()
        self.size(24, 80)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
                for fd in range(3):
                    os.dup2(slave, fd)
                os.closerange(3, 256)
                for number in range(1, 32):
                    if number not in (signal.SIGKILL, signal.SIGSTOP):
                        signal.signal(number, signal.SIG_DFL)
                for number in ignore:
                    signal.signal(number, signal.SIG_IGN)
                signal.pthread_sigmask(signal.SIG_SETMASK, block)
                os.chdir(self.project)
                os.execvpe(line[0], line, self.env)
            finally:
                os._exit(99)
        os.close(slave)
        return self

    def shell(self):
        """An interactive bash outside the pen, with job control."""
        self.start("bash", "--norc", "--noprofile", "-i", shell=True)
        return self.expect(r"\$ $")

    def quoted(self, *argv, **words):
        return " ".join(shlex.quote(word) for word in self.command(*argv, **words))

    def run_line(self, line):
        """Types a line into the shell."""
        self.output = ""
        return self.type(line + "\n")

    def type(self, text):
        os.write(self.master, text.encode())
        return self

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, timeout):
        if self.master is None or not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, patience=PATIENCE):
        """Reads until pattern has come, and forgets everything up to its end."""
        end = time.monotonic() + patience
        while True:
            found = re.search(pattern, self.output)
            if found:
                self.output = self.output[found.end():]
                return self
            if time.monotonic() > end:
                raise Failure(f"expected {pattern!r}, got {self.output[-400:]!r}")
            self.read(0.05)

    def absent(self, pattern):
        end = time.monotonic() + QUIET
        while time.monotonic() < end:
            self.read(0.05)
        if re.search(pattern, self.output):
            raise Failure(f"{pattern!r} came: {self.output[-400:]!r}")
        return self

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        self.read(0)
        return self.status is not None

    def wait(self, patience=PATIENCE):
        until(self.ended, "the end of the run", patience)
        while self.read(0.05):
            pass
        return self.status

    def exits(self, code):
        status = self.wait()
        if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != code:
            raise Failure(f"ended with {describe(status)}, not exit {code}: {self.output[-400:]!r}")
        return self

    def dies(self, number):
        status = self.wait()
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != number:
            raise Failure(f"ended with {describe(status)}, not by {signal.Signals(number).name}")
        return self

    def inner(self):
        """The process of the command itself: what carries the marker and is no launcher."""
        launchers = (self.programs["landpen"].encode(), b"/proc/self/fd/8")
        return [
            (pid, state) for pid, argv, state in processes(self.marker)
            if argv[0] not in launchers and os.path.basename(argv[0]) != b"bwrap"
        ]

    def asleep(self):
        """Waits until a bash has become the sleep of `exec -a $0 sleep`."""
        until(lambda: any(argv[0] == self.marker.encode() for _, argv, _ in processes(self.marker)),
              "the command to sleep")
        return self

    def gone(self):
        """Nothing may be left: no process, nothing below TMPDIR."""
        until(lambda: not processes(self.marker), "the end of " + str(processes(self.marker)))
        until(lambda: not os.listdir(self.tmp) or self.backend == "bare",
              f"TMPDIR to be empty, not {os.listdir(self.tmp)}")
        return self

    def hang_up(self):
        os.close(self.master)
        self.master = None

    def clean(self):
        if self.master is not None:
            os.close(self.master)
        for pid, _, _ in processes(self.marker):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if self.pid and self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except OSError:
                pass
        shutil.rmtree(self.case, ignore_errors=True)


def describe(status):
    if os.WIFSIGNALED(status):
        return "signal " + signal.Signals(os.WTERMSIG(status)).name
    return f"exit {os.WEXITSTATUS(status)}"


def bash(pen, script):
    """A bash in the pen that carries the marker."""
    return ["bash", "-c", script, pen.marker]


def script(pen, text):
    """The same from a file, so that a shell that is typed into does not echo the text."""
    with open(pen.project + "/script", "w") as file:
        file.write(text)
    return ["bash", "script", pen.marker]


# ---- signals from the keyboard ------------------------------------------------------------------


@test("Ctrl-C reaches the command, whose trap runs and whose status is passed")
def ctrl_c_trap(pen):
    pen.start(*bash(pen, 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.05; done'))
    pen.expect("ready").type("\x03").expect("caught").exits(3).gone()


@test("Ctrl-C ends the command, and landpen dies by SIGINT as it did")
def ctrl_c_dies(pen):
    pen.start(*bash(pen, "exec -a $0 sleep 60")).asleep()
    pen.type("\x03").dies(signal.SIGINT).gone()


@test("Ctrl-C that the command ignores does not end landpen")
def ctrl_c_ignored(pen):
    pen.start(*bash(pen, 'trap "" INT; echo ready; sleep 0.6; echo done; exit 4')).expect("ready")
    pen.type("\x03").expect("done").exits(4).gone()


@test("Ctrl-\\ ends the command by SIGQUIT")
def ctrl_backslash(pen):
    pen.start(*bash(pen, "ulimit -c 0; exec -a $0 sleep 60")).asleep()
    pen.type("\x1c").dies(signal.SIGQUIT).gone()


@test("Ctrl-C ends the whole pipeline of a shell outside")
def ctrl_c_pipeline(pen):
    pen.shell().run_line(pen.quoted(*script(pen, "exec -a $1 sleep 60")) + " | cat")
    pen.asleep().type("\x03").expect(r"\$ $")
    pen.run_line('echo "<${PIPESTATUS[*]}>"').expect("<130 130>")
    pen.gone()


@test("Ctrl-Z stops the job as a whole, fg goes on, Ctrl-C ends it with 130")
def ctrl_z(pen):
    pen.shell().run_line(pen.quoted(*script(pen, "exec -a $1 sleep 60")))
    pen.asleep().type("\x1a").expect("Stopped").expect(r"\$ $")
    until(lambda: pen.inner() and all(state == "T" for _, state in pen.inner()), "state T")
    pen.run_line("jobs").expect("Stopped").expect(r"\$ $")
    pen.run_line("fg")
    until(lambda: all(state != "T" for _, state in pen.inner()), "the job to go on")
    pen.type("\x03").expect(r"\$ $").run_line("echo $?").expect("130")
    pen.gone()


@test("a command that stops and goes on several times keeps its output")
def ctrl_z_twice(pen):
    pen.shell().run_line(pen.quoted(*script(pen, 'n=0; while read -r x; do echo "got-$x"; done')))
    for number in range(3):
        pen.type(f"{number}\n").expect(f"got-{number}")
        pen.type("\x1a").expect("Stopped").expect(r"\$ $")
        pen.run_line("fg")
    pen.type("last\n").expect("got-last").type("\x04").expect(r"\$ $")
    pen.gone()


@test("a stopped job goes on in the background with bg")
def background_go_on(pen):
    pen.shell().run_line(pen.quoted(*script(pen, "echo ready; sleep 1; echo over; exit 5")))
    pen.expect("ready").type("\x1a").expect("Stopped").expect(r"\$ $")
    pen.run_line("bg").expect("over")
    pen.run_line("wait %1; echo status-$?").expect("status-5")
    pen.gone()


@test("a command that stops itself stops the job")
def stops_itself(pen):
    pen.shell().run_line(pen.quoted(*script(pen, "kill -STOP $$; echo went-on; exit 6")))
    pen.expect("Stopped").expect(r"\$ $").run_line("fg").expect("went-on").expect(r"\$ $")
    pen.run_line("echo $?").expect("6")
    pen.gone()


@test("a background job that reads the terminal is stopped")
def background_read(pen):
    pen.shell().run_line(pen.quoted(*script(pen, "read -r x; echo got-$x")) + " &")
    # a busy machine takes its time to start a pen
    pen.run_line("until jobs | grep -q Stopped; do sleep 0.05; done; jobs").expect(r"\[1\].*Stopped")
    pen.expect(r"\$ $").run_line("fg").type("hello\n").expect("got-hello").expect(r"\$ $")
    pen.gone()


# ---- the terminal -------------------------------------------------------------------------------


@test("a change of the window's size is told")
def window_size(pen):
    pen.start(*bash(pen, 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.05; done'))
    pen.expect("ready").size(33, 99)
    pen.expect("33 99").exits(0).gone()


@test("/dev/tty can be written and read")
def dev_tty(pen):
    pen.start(*bash(pen, 'echo ask >/dev/tty; read -r x </dev/tty; echo "got-$x"'))
    pen.expect("ask").type("word\n").expect("got-word").exits(0).gone()


@test("standard streams are the terminal, and it is asked for its name")
def is_terminal(pen):
    pen.start(*bash(pen, "test -t 0 && test -t 1 && test -t 2 && tty -s && tty"))
    pen.expect("/dev/").exits(0).gone()


@test("the terminal can be put into other modes and back")
def modes(pen):
    pen.start(*bash(pen, 'stty raw -echo; printf ready; x=$(dd bs=1 count=2 2>/dev/null); '
                         'stty sane; printf "<%s>" "$x"'))
    pen.expect("ready").type("\x03\x1a").expect("<\x03\x1a>").exits(0).gone()


@test("the terminal's modes and its foreground job are as before afterwards")
def terminal_kept(pen):
    pen.shell()
    before = termios.tcgetattr(pen.master)
    pen.run_line(pen.quoted("true")).expect(r"\$ $")
    if termios.tcgetattr(pen.master) != before:
        raise Failure("the modes have changed")
    pen.run_line("read -r x; echo got-$x").type("hello\n").expect("got-hello")
    pen.gone()


@test("the end of the input reaches the command")
def end_of_file(pen):
    pen.start(*bash(pen, "cat; echo after")).type("line\n").expect("line.*\n.*line")
    pen.type("\x04").expect("after").exits(0).gone()


@test("an interactive shell in the pen has job control")
def inner_shell(pen):
    pen.start("bash", "--norc", "--noprofile", "-i", options=("--env", "PS1")).expect(r"\$ $")
    pen.run_line(f"exec -a {pen.marker} sleep 60 & :").expect(r"\$ $").run_line("sleep 50")
    time.sleep(QUIET)
    pen.type("\x1a").expect("Stopped").expect(r"\$ $").run_line("fg")
    time.sleep(QUIET)
    pen.type("\x03").expect(r"\$ $").run_line("echo st-$?").expect("st-130").expect(r"\$ $")
    pen.run_line("kill %1; exit 7").exits(7).gone()


@test("an interactive shell in the pen says nothing of missing job control")
def inner_shell_words(pen):
    pen.start("bash", "--norc", "--noprofile", "-i")
    pen.type("exit\n").wait()
    if re.search("job control|ioctl|cannot set", pen.output):
        raise Failure(pen.output)


@test("nobody types into the terminal that it was started in")
def no_typing(pen):
    pen.start(pen.programs["probe"], "ioctl-stdin", "TIOCSTI")
    pen.expect("ok" if pen.backend == "bare" else "EPERM")
    pen.wait()


@test("a full-screen editor works")
def editor(pen):
    pen.start("vim", "-u", "NONE", "-N", "f").expect("f")
    time.sleep(0.3)
    pen.type("ihello\x1b")
    time.sleep(0.2)
    pen.type(":wq\r").exits(0).gone()
    with open(pen.project + "/f") as file:
        if file.read() != "hello\n":
            raise Failure("the file was not written")


# ---- signals to landpen -------------------------------------------------------------------------


def passes(pen, number):
    name = signal.Signals(number).name[3:]
    pen.start(*bash(pen, f'trap "echo caught; exit 8" {name}; echo ready; '
                         'while :; do sleep 0.05; done')).expect("ready")
    os.kill(pen.pid, number)
    pen.expect("caught").exits(8).gone()


@test("SIGTERM to landpen alone reaches the command")
def term_passed(pen):
    passes(pen, signal.SIGTERM)


@test("SIGHUP to landpen alone reaches the command")
def hup_passed(pen):
    passes(pen, signal.SIGHUP)


@test("SIGINT to landpen alone reaches the command")
def int_passed(pen):
    passes(pen, signal.SIGINT)


@test("SIGQUIT to landpen alone reaches the command")
def quit_passed(pen):
    passes(pen, signal.SIGQUIT)


@test("SIGUSR1 to landpen alone reaches the command")
def usr1_passed(pen):
    passes(pen, signal.SIGUSR1)


@test("SIGWINCH to landpen alone reaches the command")
def winch_passed(pen):
    passes(pen, signal.SIGWINCH)


@test("SIGTERM without a trap ends all, and landpen dies by it")
def term_dies(pen):
    pen.start(*bash(pen, "exec -a $0 sleep 60")).asleep()
    os.kill(pen.pid, signal.SIGTERM)
    pen.dies(signal.SIGTERM).gone()


@test("SIGTERM that the command ignores does not end landpen")
def term_ignored(pen):
    pen.start(*bash(pen, 'trap "" TERM; echo ready; sleep 0.6; echo done; exit 9')).expect("ready")
    os.kill(pen.pid, signal.SIGTERM)
    pen.expect("done").exits(9).gone()


@test("SIGKILL of landpen leaves no process and no TMPDIR behind")
def kill_leaves_nothing(pen):
    pen.start(*bash(pen, 'echo x >"$TMPDIR/f"; exec -a $0 sleep 60')).asleep()
    if pen.backend != "bare":
        until(lambda: os.listdir(pen.tmp), "a private TMPDIR")
    os.kill(pen.pid, signal.SIGKILL)
    pen.dies(signal.SIGKILL).gone()


@test("what a run leaves when all of landpen is killed, the next one clears away and does not trip over")
def kill_everything(pen):
    pen.start(*bash(pen, "exec -a $0 sleep 60")).asleep()
    for pid, _, _ in processes(pen.marker):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    pen.wait()
    until(lambda: not processes(pen.marker), "the end of all")
    pen.status = None
    pen.start(*bash(pen, "ls -A; exit 12")).exits(12)
    until(lambda: not os.listdir(pen.project), f"a clean project, not {os.listdir(pen.project)}")


@test("SIGSTOP and SIGCONT to the job stop it and let it go on")
def stop_and_go_on(pen):
    pen.start(*bash(pen, "echo ready; n=0; while :; do sleep 0.05; done")).expect("ready")
    os.killpg(os.getpgid(pen.pid), signal.SIGSTOP)
    until(lambda: pen.inner() and all(state == "T" for _, state in pen.inner()), "state T")
    os.killpg(os.getpgid(pen.pid), signal.SIGCONT)
    until(lambda: any(state != "T" for _, state in pen.inner()), "the job to go on")
    os.kill(pen.pid, signal.SIGTERM)
    pen.dies(signal.SIGTERM).gone()


@test("a terminal that is closed ends the command")
def hang_up(pen):
    pen.start(*bash(pen, 'trap "echo hup >got; exit" HUP; echo ready; while :; do sleep 0.05; done'))
    pen.expect("ready").hang_up()
    until(lambda: os.path.exists(pen.project + "/got"), "the hang-up")
    pen.wait()
    pen.gone()


@test("a terminal that is closed ends a command without a trap, and leaves nothing")
def hang_up_dies(pen):
    pen.start(*bash(pen, "exec -a $0 sleep 60")).asleep().hang_up()
    pen.wait()
    pen.gone()


@test("signals that the caller ignores and blocks stay so, and no others")
def inherited_signals(pen):
    pen.start(*bash(pen, "grep -E 'Sig(Blk|Ign)' /proc/self/status"),
              ignore=[signal.SIGHUP, signal.SIGUSR2], block=[signal.SIGALRM])
    pen.expect(r"SigBlk:\s0000000000002000\s+SigIgn:\s0000000000000801").exits(0).gone()


@test("no signal is ignored or blocked that was not")
def clean_signals(pen):
    pen.start(*bash(pen, "grep -E 'Sig(Blk|Ign)' /proc/self/status"))
    pen.expect(r"SigBlk:\s0000000000000000\s+SigIgn:\s0000000000000000").exits(0).gone()


def dies_with(pen, number):
    pen.start(*bash(pen, f"ulimit -c 0; kill -{int(number)} $$; sleep 5")).dies(number).gone()


@test("landpen dies by SIGTERM as the command did")
def dies_term(pen):
    dies_with(pen, signal.SIGTERM)


@test("landpen dies by SIGKILL as the command did")
def dies_kill(pen):
    dies_with(pen, signal.SIGKILL)


@test("landpen dies by SIGSEGV as the command did, without a core of its own")
def dies_segv(pen):
    dies_with(pen, signal.SIGSEGV)
    if [name for name in os.listdir(pen.project) if "core" in name]:
        raise Failure("there is a core")


@test("landpen dies by SIGHUP as the command did")
def dies_hup(pen):
    dies_with(pen, signal.SIGHUP)


@test("landpen dies by SIGPIPE as the command did")
def dies_pipe(pen):
    dies_with(pen, signal.SIGPIPE)


@test("landpen dies by SIGUSR1 as the command did")
def dies_usr1(pen):
    dies_with(pen, signal.SIGUSR1)


# ---- what is left -------------------------------------------------------------------------------


def daemon(pen, text, status):
    """A command that leaves a daemon behind in a session of its own and exits with status."""
    with open(pen.project + "/daemon", "w") as file:
        file.write("echo >started\n" + text + "\n")
    return bash(pen, "setsid bash daemon $0 </dev/null >/dev/null 2>&1 & "
                     f"until [ -e started ]; do sleep 0.02; done; exit {status}")


@test("the command's status comes at once, though a daemon it left goes on")
def daemon_goes_on(pen):
    begin = time.monotonic()
    pen.start(*daemon(pen, "sleep 1.5; echo alive >alive", 10))
    pen.exits(10)
    if time.monotonic() - begin > 1.3:
        raise Failure("it waited for the daemon")
    pen.hang_up()
    until(lambda: os.path.exists(pen.project + "/alive"), "the daemon's sign of life")
    pen.gone()


@test("a daemon is still held when the command has ended")
def daemon_held(pen):
    pen.start(*daemon(pen, "sleep 0.7; echo x >../outside; echo $? >status", 0))
    pen.exits(0)
    until(lambda: os.path.exists(pen.project + "/status"), "the daemon's sign of life")
    if os.path.exists(pen.home + "/outside") != (pen.backend == "bare"):
        raise Failure("it wrote outside" if pen.backend != "bare" else "it could not write")
    pen.gone()


@test("a daemon keeps its TMPDIR")
def daemon_tmpdir(pen):
    pen.start(*daemon(pen, "sleep 0.7; (echo x >$TMPDIR/f); echo $? >status", 0))
    pen.exits(0)
    until(lambda: os.path.exists(pen.project + "/status") and
          os.path.getsize(pen.project + "/status"), "the daemon's sign of life")
    with open(pen.project + "/status") as file:
        if file.read() != "0\n":
            raise Failure("its TMPDIR was gone")
    pen.gone()


@test("background jobs of a finished command do not hold landpen up")
def background_child(pen):
    begin = time.monotonic()
    pen.start(*bash(pen, "exec -a $0 sleep 4 & exit 11")).exits(11)
    if time.monotonic() - begin > 3:
        raise Failure("it waited")


# ---- running it all -----------------------------------------------------------------------------


def run_one(function, backend, programs, base):
    """None, or what went wrong."""
    pen = Pen(backend, programs, base)
    try:
        function(pen)
        return None
    except Failure as failure:
        return str(failure)
    except Exception:  # pylint: disable=broad-except
        return traceback.format_exc()
    finally:
        pen.clean()


def become(user):
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def worker(user, tests, programs, base, report):
    """A process that runs its tests as user and writes a line for each to report."""
    if user:
        become(user)
    os.umask(0o022)
    for number, (_, _, function), backend in tests:
        trouble = run_one(function, backend, programs, base)
        text = (trouble or "").replace("\\", "\\\\").replace("\n", "\\n")
        os.write(report, f"{number}\t{text}\n".encode())
    os._exit(0)


def patiently(*line):
    """useradd and userdel lock /etc/passwd, and do not wait for each other."""
    until(lambda: subprocess.run(line, stderr=subprocess.DEVNULL, check=False).returncode == 0,
          " ".join(line))


def build_programs(base):
    landpen = os.environ.get("LANDPEN", HERE + "/../../build/landpen")
    probe = os.environ.get("PROBE")
    os.mkdir(base + "/bin")
    if probe:
        shutil.copy(probe, base + "/bin/probe")
    else:
        sources = [HERE + "/" + name for name in os.listdir(HERE) if re.match(r"probe.*\.c$", name)]
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-static",
                        "-o", base + "/bin/probe", *sources], check=True)
    shutil.copy(landpen, base + "/bin/landpen")
    for name in ("probe", "landpen"):
        os.chmod(base + "/bin/" + name, 0o755)
    return {"landpen": base + "/bin/landpen", "probe": base + "/bin/probe", "bin": base + "/bin"}


def run_all(plan, users, jobs, programs, base):
    """Runs the plan and yields (number, trouble) as they come."""
    reader, writer = os.pipe()
    children = []
    for user, account in users.items():
        home = base + "/" + user
        os.mkdir(home)
        if account:
            shutil.chown(home, account)
        mine = [(number, entry, backend) for number, entry, backend, who in plan if who == user]
        for index in range(jobs):
            child = os.fork()
            if child == 0:
                os.close(reader)
                worker(account, mine[index::jobs], programs, home, writer)
            children.append(child)
    os.close(writer)
    with os.fdopen(reader) as lines:
        for line in lines:
            number, _, text = line.rstrip("\n").partition("\t")
            yield int(number), text
    for child in children:
        os.waitpid(child, 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--filter", default=".")
    parser.add_argument("--backend", action="append", choices=["bare", "landlock", "bwrap"])
    parser.add_argument("--user", action="append", choices=["root", "user"])
    parser.add_argument("--jobs", type=int, default=3)
    args = parser.parse_args()

    is_root = os.getuid() == 0
    skipped = not is_root and "root" in (args.user or ["root"])
    users = {who: None for who in args.user or ["root", "user"] if is_root or who == "user"}
    chosen = [entry for entry in TESTS if re.search(args.filter, entry[0])]
    plan = [
        (0, entry, backend, who) for entry in chosen
        for who in users for backend in args.backend or ["bare", "landlock", "bwrap"]
    ]
    plan = [(number, *rest[1:]) for number, rest in enumerate(plan, 1)]
    if not plan:
        sys.exit("terminal.py: no test is left")
    print("TAP version 13")
    print(f"1..{len(plan) + skipped}", flush=True)

    base = tempfile.mkdtemp(prefix="landpen-terminal.", dir=os.environ.get("SCENARIO_DIR", "/var/tmp"))
    os.chmod(base, 0o755)
    account = None
    troubles = {}
    try:
        programs = build_programs(base)
        if is_root and "user" in users:
            account = f"lpterminal{os.getpid()}"
            patiently("useradd", "-M", "-s", "/bin/bash", account)
            users["user"] = account
        names = {number: (entry, backend, who) for number, entry, backend, who in plan}
        told = 1
        for number, trouble in run_all(plan, users, args.jobs, programs, base):
            troubles[number] = trouble
            while told in troubles:
                tell(told, *names[told], troubles[told])
                told += 1
        for number in range(told, len(plan) + 1):
            if number not in troubles:
                troubles[number] = "no result: its worker died"
            tell(number, *names[number], troubles[number])
    finally:
        if account:
            patiently("userdel", account)
        shutil.rmtree(base, ignore_errors=True)
    failed = sum(1 for trouble in troubles.values() if trouble)
    if skipped:
        strict = os.environ.get("LANDPEN_NO_SKIP") == "1"
        print(f"{'not ' * strict}ok {len(plan) + 1} # SKIP everything as root: the caller is not root")
        failed += strict
    print(f"# {len(troubles) - failed} passed, {failed} failed, {int(skipped)} skipped")
    sys.exit(1 if failed else 0)


def tell(number, entry, backend, who, trouble):
    print(f"{'not ' if trouble else ''}ok {number} - {entry[0]} {who}/{backend}: {entry[1]}")
    if trouble:
        print("# " + trouble.replace("\\n", "\n# ").replace("\\\\", "\\"))
    sys.stdout.flush()


if __name__ == "__main__":
    main()

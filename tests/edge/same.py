#!/usr/bin/env python3
"""Real programs leave the same tree in a pen as without one.

    LANDPEN=... same.py

Each script runs twice in a fresh copy of one project at one path, with protected .git/hooks and
.git/config: bare, and natively in the pen. What it printed, and afterwards every name, type, mode
and content below the project are compared; what programs fill with times and inode numbers only by
name. Prints TAP. A program that is not installed is a named skip.
"""
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

LANDPEN = os.environ["LANDPEN"]
# times, inode numbers, process numbers
UNSTABLE = re.compile(r"/\.git/(index|logs/.*|gc\.log|objects/(info|pack)/.*)$|\.pyc$|/target/|"
                      r"/CMakeFiles/|\.tar$|/CMakeCache\.txt$|\.npm/_logs/|/bare\.git/objects/")
SETTINGS = """{"network": {"allowedDomains": [], "deniedDomains": []},
 "filesystem": {"denyRead": [], "allowWrite": ["."], "denyWrite": []}}"""
WORKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenarios", "works")

SCRIPTS = [
    ("git add, commit, amend, branch, merge, rebase, stash -u, gc", ["git"], """
        echo one >>a; git add -A; git commit -qm one; echo two >>a; git commit -qa --amend -m two
        git checkout -qb topic; echo t >t; git add t; git commit -qm t; git checkout -q work
        echo w >w; git add w; git commit -qm w; git merge -q --no-edit topic
        git checkout -qb other HEAD~1; echo o >o; git add o; git commit -qm o; git rebase -q work
        echo dirty >>a; echo new >untracked; git stash -qu; git status --short; git stash pop -q
        git status --short; git gc -q; git fsck; git log --format=%s"""),
    ("git worktree add", ["git"], """
        git worktree add -q -b tree tree; cd tree; echo x >x; git add x; git commit -qm x
        git log --format=%s; cd ..; git worktree list | wc -l; git worktree remove tree; ls"""),
    ("git clone into the project, and a submodule", ["git"], """
        git clone -q --bare . bare.git; git clone -q bare.git copy; ls copy; cd copy
        git config user.email a@example.org; git config user.name a; echo c >c; git add c
        git commit -qm c; git push -q origin HEAD:pushed; git ls-remote -q . | wc -l"""),
    ("git init in a folder of its own", ["git"], """
        mkdir inner; cd inner; git init -q -b work .; git config user.email a@example.org
        git config user.name a; echo i >i; git add i; git commit -qm i; git status --short; ls -A .git"""),
    ("tar with modes, times and links", ["tar"], """
        mkdir -p d/e; echo x >d/x; ln d/x d/hard; ln -s x d/soft; chmod 600 d/x; chmod 1750 d/e
        touch -d 2020-02-02 d/x; tar cf d.tar d; mkdir out; tar xpf d.tar -C out
        tar xf d.tar --transform s/d/q/; find out q -printf '%p %y %m %n %TY\\n' | sort"""),
    ("rsync -a", ["rsync"], """
        mkdir -p from/sub; echo 1 >from/a; echo 2 >from/sub/b; chmod 640 from/a; touch -d 2021-03-03 from/a
        rsync -a from/ to; echo 3 >>from/a; rm from/sub/b; rsync -a --delete from/ to
        find to -printf '%p %y %m %TY\\n' | sort"""),
    ("cp -a, mv, rm -r, install, mkdir -p, ln", [], """
        mkdir -p -m 700 deep/er; echo x >deep/er/f; cp -a deep copy; mv copy moved; install -m 755 a bin
        install -d -m 2775 shared; ln a hard; ln -s nowhere dangling; cp -al deep linked; rm -r deep
        mv moved/er . ; rmdir moved; mkdir moved; echo again >moved/f; umask 027; echo y >masked; mkdir md
        find . -path ./.git -prune -o -printf '%p %y %m %n\\n' | sort"""),
    ("sed -i, patch, and editors' atomic saves", ["patch", "python3"], """
        printf '1\\n2\\n3\\n' >f; sed -i s/2/two/ f; printf '1\\n2\\n3\\n' >g
        printf -- '--- g\\n+++ g\\n@@ -1,3 +1,3 @@\\n 1\\n-2\\n+zwei\\n 3\\n' | patch -s g; chmod 640 f
        python3 - <<'PY'
import os, tempfile
fd, name = tempfile.mkstemp(dir="."); os.write(fd, b"saved\\n"); os.fchmod(fd, 0o640); os.fsync(fd)
os.close(fd); os.replace(name, "f")
os.rename("g", "g~"); open("g", "x").write("new\\n"); os.unlink("g~")
fd = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600); os.write(fd, b"late\\n")
os.link(f"/proc/self/fd/{fd}", "named", src_dir_fd=0)
PY
        cat f g named; ls -l | awk '{print $1, $2, $NF}'"""),
    ("vim", ["vim"], """
        printf 'one\\ntwo\\n' >v; vim -Nu NONE -es -c '%s/one/1/' -c 'set backup backupdir=.' -c wq v
        vim -Nu NONE -es -c 'normal onew' -c 'w! w' -c q! v; cat v w; ls -A"""),
    ("make and gcc", ["make", "gcc"], """
        printf 'int main(void){return 42;}\\n' >m.c
        printf 'p: m.o\\n\\tgcc -o p m.o\\nm.o: m.c\\n\\tgcc -c m.c\\nclean:\\n\\trm -f p m.o\\n' >Makefile
        make -s; ./p || echo $?; make -s clean; make -s -j4; ls"""),
    ("cmake", ["cmake", "gcc"], """
        printf 'int main(void){return 0;}\\n' >m.c
        printf 'cmake_minimum_required(VERSION 3.10)\\nproject(p C)\\nadd_executable(p m.c)\\n' >CMakeLists.txt
        cmake -S . -B build >/dev/null; cmake --build build >/dev/null; build/p && ls build"""),
    ("npm install", ["npm"], f"bash {WORKS}/npm.sh"),
    ("cargo build", ["cargo"], f"bash {WORKS}/cargo.sh"),
    ("a venv", ["python3"], """
        python3 -m venv --without-pip venv; venv/bin/python -c 'import sys; print(sys.prefix)'
        find venv -type d | sort | head -20; rm -r venv; python3 -m venv --without-pip venv; ls venv"""),
    ("FIFOs and process substitution", [], """
        cat <(echo one) <(echo two); echo three | tee >(cat >copied) >/dev/null; sleep 0.3; cat copied
        mkfifo p; (echo through >p) & cat p; wait; echo err >/dev/stderr; echo out >/dev/stdout
        exec 5>held; echo five >/dev/fd/5; cat held; rm p; ls"""),
]


def tree(top):
    found = {}
    for path, folders, files in os.walk(top):
        for name in folders + files:
            full = os.path.join(path, name)
            st = os.lstat(full)
            what = [stat.filemode(st.st_mode)]
            if stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(full))
            elif stat.S_ISREG(st.st_mode) and not UNSTABLE.search(full):
                with open(full, "rb") as file:
                    what.append(hashlib.sha256(file.read()).hexdigest()[:16])
            name = full[len(top):]
            if re.search(r"/target/|/CMakeFiles/|/objects/pack/|_logs/", name):
                name = re.sub(r"[0-9a-f-]{15,}|[A-Za-z0-9]{20,}|\d{4}-.*", "N", name)
            found[name] = " ".join(what)
    return found


def run(script, pen, base):
    project = os.path.join(base, "project")
    home = os.path.join(base, "home")
    for path in (project, home, base + "/tmp"):
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
    env = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", "CARGO_INCREMENTAL": "0", "TMPDIR": base + "/tmp",
           "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}
    rustup = os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup"))
    if os.path.isdir(rustup):
        env["RUSTUP_HOME"] = rustup
    setup = """git init -q -b work . && git config user.email t@example.org && git config user.name t &&
        echo first >a && git add a && git commit -qm first && mkdir -p .git/hooks"""
    subprocess.run(["bash", "-c", setup], cwd=project, env=env, check=True)
    words = ["bash", "-ec", script]
    if pen:
        settings = os.path.join(base, "settings.json")
        with open(settings, "w") as file:
            file.write(SETTINGS.replace('["."]', f'[".", "{home}"]'))
        names = [word for name in env if name not in ("PATH", "HOME") for word in ("--env", name)]
        words = [LANDPEN, "-q", "--backend", "landlock", "-s", settings, *names, "--", *words]
    done = subprocess.run(words, cwd=project, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240, check=False)
    said = done.stdout.decode(errors="replace")
    # the private TMPDIR, and what programs number
    said = re.sub(r"landpen-\d+-\d+-\w+", "T", said)
    return f"{said}\nexit {done.returncode}", tree(project)


def compare(script, base):
    bare, bare_tree = run(script, False, base)
    if not bare.endswith("exit 0"):
        return [f"bare: {bare}"]
    penned, pen_tree = run(script, True, base)
    troubles = [] if bare == penned else ["bare printed:", *bare.split("\n"), "in the pen:",
                                          *penned.split("\n")]
    for name in sorted(set(bare_tree) | set(pen_tree)):
        if bare_tree.get(name) != pen_tree.get(name):
            troubles.append(f"{name}: {bare_tree.get(name)}, in the pen {pen_tree.get(name)}")
    return troubles


def main():
    print(f"1..{len(SCRIPTS)}")
    failed = 0
    base = tempfile.mkdtemp(prefix="landpen-same.", dir="/var/tmp")
    try:
        for number, (name, needs, script) in enumerate(SCRIPTS, 1):
            missing = [need for need in needs if not shutil.which(need)]
            if missing:
                print(f"ok {number} - {name} # SKIP {missing[0]} is not installed")
                continue
            troubles = compare(script, base)
            failed += bool(troubles)
            print(f"{'not ok' if troubles else 'ok'} {number} - {name}")
            for line in troubles[:60]:
                print(f"# {line}")
            sys.stdout.flush()
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

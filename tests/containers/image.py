"""Images for the containers, of files of this machine: nothing is downloaded.

write(path, kind, programs): a tar of a root file system. Kinds:

debian   the files of the Debian packages that the tests use, and of all that those depend on
musl     busybox, bash (both static), musl's dynamic loader and a program for it, laid out as Alpine
         is. It is not Alpine: none of its packages are in it.

programs: {path in the image: file}. Raises Missing, with what is not installed, if it cannot be made.
"""
import glob
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

PACKAGES = """bash coreutils dash git python3 grep sed findutils diffutils util-linux passwd tar gzip
    hostname libc-bin base-files debianutils mawk login procps curl nodejs bubblewrap""".split()
UNUSED = re.compile(r"/usr/(share/(doc|man|locale|info|lintian|bash-completion|perl|nodejs)|include"
                    r"|lib/node_modules|lib/x86_64-linux-gnu/perl)/")
FOLDERS = {"root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777, "var/log": 0o755,
           "home/dev": 0o755, "opt": 0o755, "proc": 0o755, "sys": 0o755, "dev": 0o755, "run": 0o755,
           "etc": 0o755, "usr/local/bin": 0o755}
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1000::/home/dev:/bin/bash\n",
    "etc/group": "root:x:0:\ntty:x:5:\ndev:x:1000:\n",
    "etc/shadow": "root:*:19000::::::\ndev:*:19000::::::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Missing(Exception):
    """What is not on this machine."""


def installed_packages():
    """{name: groups of alternatives that it needs}, {virtual name: a package}."""
    needs, provides = {}, {}
    form = "${Package}\t${Provides}\t${Pre-Depends}, ${Depends}\t${db:Status-Status}\n"
    listing = subprocess.run(["dpkg-query", "-W", "-f", form], check=True, text=True,
                             capture_output=True).stdout

    def names(text, separator):
        return [re.sub(r"[ (:].*", "", name.strip()) for name in text.split(separator)]

    for line in listing.splitlines():
        name, provided, needed, status = line.split("\t")
        if status == "installed":
            needs[name] = [names(group, "|") for group in needed.split(",")]
            for virtual in names(provided, ","):
                provides.setdefault(virtual, name)
    return needs, provides


def with_dependencies(packages):
    needs, provides = installed_packages()
    missing = [package for package in packages if package not in needs]
    if missing:
        raise Missing("packages that are not installed: " + " ".join(missing))
    todo, seen = list(packages), set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            for group in needs[name]:
                there = [provides.get(one, one) if one not in needs else one for one in group]
                todo += [one for one in there if one in needs][:1]
    return seen


def real(path):
    """The path without symlinks in its folders."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def debian_paths(packages):
    listing = subprocess.run(["dpkg-query", "-L", *with_dependencies(packages)], check=True,
                             text=True, capture_output=True).stdout
    paths = {real(path) for path in listing.splitlines()
             if path.startswith("/") and not UNUSED.match(path) and os.path.lexists(path)}
    paths |= {"/bin", "/sbin", "/lib", "/lib64", "/usr/bin/sh", "/etc/ld.so.cache"}
    paths |= set(glob.glob("/etc/alternatives/*")) | {"/etc/alternatives"}
    for path in list(paths):
        while os.path.dirname(path) not in paths | {"/"}:
            path = os.path.dirname(path)
            paths.add(path)
    return {path for path in paths - {"/"} if os.path.lexists(path)}


def libraries(program):
    """What the dynamic loader would look for; nothing for a static program."""
    listing = subprocess.run(["ldd", program], check=False, text=True, capture_output=True).stdout
    return set(re.findall(r"(/\S+) \(0x", listing))


def add_file(tar, name, source, mode=0o755):
    info = tar.gettarinfo(os.path.realpath(source), name)
    info.mode, info.uid, info.gid = mode, 0, 0
    with open(source, "rb") as file:
        tar.addfile(info, file)


def add_text(tar, name, text):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(text), 0o640 if name == "etc/shadow" else 0o644
    tar.addfile(info, io.BytesIO(text.encode()))


def add_folders(tar, names):
    """The folders with all above them; adds their names to names."""
    for folder in FOLDERS:
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if name not in names:
                info = tarfile.TarInfo(name)
                info.type, info.mode = tarfile.DIRTYPE, FOLDERS.get(name, 0o755)
                info.uid = info.gid = 1000 if name == "home/dev" else 0
                tar.addfile(info)
                names.add(name)


def write_debian(tar, names, programs):
    if not shutil.which("dpkg-query"):
        raise Missing("dpkg: the image is made of Debian packages")
    paths = debian_paths(PACKAGES)
    for program in programs.values():
        paths |= {real(library) for library in libraries(program)}
        paths |= {os.path.realpath(library) for library in libraries(program)}
    for path in sorted(paths):
        if path[1:] not in names:
            tar.add(path, path[1:], recursive=False)


def write_musl(tar, names, programs):
    loaders = glob.glob("/lib/ld-musl-*.so.1")
    found = {"bin/busybox": shutil.which("busybox"), "bin/bash": shutil.which("bash-static")}
    if not loaders or not shutil.which("musl-gcc") or not all(
            source and not libraries(source) for source in found.values()):
        raise Missing("busybox-static, bash-static or musl-tools is not installed")
    if any(libraries(program) for program in programs.values()):
        raise Missing("landpen is no static program: build it with -Dlibc=musl")
    for folder in "bin", "lib":
        info = tarfile.TarInfo(folder)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    for name, source in found.items():
        add_file(tar, name, source)
    add_file(tar, loaders[0][1:], loaders[0])
    applets = subprocess.run([found["bin/busybox"], "--list"], check=True, text=True,
                             capture_output=True).stdout.split()
    for applet in applets:
        if f"bin/{applet}" not in found and applet != "true":
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "/bin/busybox"
            tar.addfile(info)
    info = tarfile.TarInfo("usr/bin/env") # where scripts look for it
    info.type, info.linkname = tarfile.SYMTYPE, "/bin/busybox"
    tar.addfile(info)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["musl-gcc", "-x", "c", "-", "-o", f"{folder}/true"], check=True,
                       input=b"int main(void) { return 0; }")
        add_file(tar, "bin/true", f"{folder}/true")


def write(path, kind, programs):
    with tarfile.open(path, "w") as tar:
        names = set()
        add_folders(tar, names)
        for name, text in TEXTS.items():
            add_text(tar, name, text)
        for name, source in programs.items():
            add_file(tar, name, source)
        names |= TEXTS.keys() | programs.keys()
        (write_debian if kind == "debian" else write_musl)(tar, names, programs)

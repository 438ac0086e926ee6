#!/bin/bash
# python's processes with a lock, which is a file in /dev/shm.
set -e
/usr/bin/python3 - <<'END'
import multiprocessing
def work(lock, n, out):
    with lock:
        out.put(n * n)
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    lock, out = context.Lock(), context.Queue()
    children = [context.Process(target=work, args=(lock, n, out)) for n in range(3)]
    for child in children:
        child.start()
    print(sorted(out.get() for _ in children))
    for child in children:
        child.join()
END

#!/bin/bash
# gcc and make, several jobs at a time, a library, an installation.
set -e
echo 'int f(void) { return 6; }' >f.c
echo 'int g(void) { return 7; }' >g.c
echo '#include <stdio.h>
int f(void), g(void); int main(void) { printf("%d\n", f() * g()); }' >main.c
cat >Makefile <<'END'
prefix = $(CURDIR)/inst
prog: main.o libfg.a
	cc -o $@ main.o -L. -lfg
libfg.a: f.o g.o
	ar rcs $@ f.o g.o
install: prog
	install -D -m 755 prog $(prefix)/bin/prog
	install -D -m 640 f.c $(prefix)/share/f.c
END
make -s -j 4 install
inst/bin/prog
stat -c %a inst/bin/prog inst/share/f.c
cc -shared -fPIC -flto -g -O2 -o libs.so f.c g.c && nm -D libs.so | grep -c ' T '

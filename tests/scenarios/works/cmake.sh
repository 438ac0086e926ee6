#!/bin/bash
# cmake: it tries compilers in directories of its own.
set -e
echo 'int main(void) { return 0; }' >main.c
printf 'cmake_minimum_required(VERSION 3.10)\nproject(p C)\nadd_executable(p main.c)\ninstall(TARGETS p)\n' >CMakeLists.txt
cmake -S . -B out >/dev/null
cmake --build out >/dev/null
cmake --install out --prefix inst >/dev/null
inst/bin/p && echo built

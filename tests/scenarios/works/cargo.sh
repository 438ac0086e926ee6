#!/bin/bash
# cargo without a network: a library, a program that uses it, tests, a build script.
set -e
mkdir -p lib/src app/src
printf '[package]\nname = "lib"\nversion = "0.1.0"\nedition = "2021"\n' >lib/Cargo.toml
printf 'pub fn answer() -> u32 { 42 }\n#[test]\nfn right() { assert_eq!(answer(), 42); }\n' >lib/src/lib.rs
printf '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\nbuild = "build.rs"\n[dependencies]\nlib = { path = "../lib" }\n' >app/Cargo.toml
printf 'fn main() { println!("cargo:rustc-env=BUILT=yes"); }\n' >app/build.rs
printf 'fn main() { println!("{} {}", lib::answer(), env!("BUILT")); }\n' >app/src/main.rs
cd app && cargo build -q --offline && ./target/debug/app
cargo build -q --offline && echo again
cd ../lib && cargo test -q --offline 2>&1 | grep -o '1 passed'

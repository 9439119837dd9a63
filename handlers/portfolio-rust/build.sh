#!/usr/bin/env bash
# Builds dist/portfolio.wasm: cargo makes a core module, jco a component of it.
#
# Cargo needs a standard library for wasm32-unknown-unknown. In this order: the one the toolchain has, one built from the
# source the toolchain has, one built with Debian's compiler from Debian's source, both unpacked below target/ and not
# installed. Where none can be had nothing is built and dist/skipped.txt says so, which continuous integration must not do.
set -euo pipefail
cd "$(dirname "$0")"

wasm=wasm32-unknown-unknown
debian=$PWD/../../target/debian-rust
export CARGO_TARGET_DIR=$PWD/../../target/rust-handlers

build() { cargo build --release --locked --quiet --target $wasm "$@"; }

# Only a nightly compiler, or one that is told it is one, builds the standard library.
build_with_std() { RUSTC_BOOTSTRAP=1 build -Z build-std=std,panic_abort; }

has_target() { compgen -G "$(rustc --print target-libdir --target $wasm)/libstd-*.rlib" > /dev/null; }

has_source() { [[ -d $(rustc --print sysroot)/lib/rustlib/src/rust/library ]]; }

debian_has_rust() {
  command -v apt-get > /dev/null || return 1
  apt-cache show rustc-web &> /dev/null && return
  # The lists of a fresh container are empty.
  [[ $UID == 0 ]] && apt-get update -qq && apt-cache show rustc-web &> /dev/null
}

unpack_debian_rust() {
  echo "fetching Debian's Rust compiler and its source (140 MB; not needed after: rustup target add $wasm)"
  local new=$debian.new llvm package
  rm -rf "$new" && mkdir -p "$new/packages/partial"
  # The linker reads what the compiler's LLVM writes.
  llvm=$(apt-cache depends --recurse --important rustc-web | grep -o 'libllvm[0-9]*' | sort -u)
  apt-get install --download-only --yes -qq --no-install-recommends -o Debug::NoLocking=true -o APT::Sandbox::User=root \
    -o Dir::Cache::archives="$new/packages" rustc-web rust-web-src "lld-${llvm#libllvm}"
  for package in "$new"/packages/*.deb; do dpkg --extract "$package" "$new"; done
  rm -r "$new/packages"
  mv "$new" "$debian"
}

use_debian_rust() {
  [[ -d $debian ]] || unpack_debian_rust
  local libraries=("$debian"/usr/lib/*-linux-gnu) linkers=("$debian"/usr/bin/wasm-ld-*)
  export RUSTC=$debian/usr/bin/rustc LD_LIBRARY_PATH=${libraries[0]}
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=${linkers[0]}
}

skip() {
  rm -f dist/portfolio.wasm
  echo "skipped: handlers/portfolio-rust: Rust has no $wasm here; to build it: rustup target add $wasm" > dist/skipped.txt
  cat dist/skipped.txt >&2
  if [[ ${CI:-} ]]; then exit 1; else exit 0; fi
}

mkdir -p dist
if has_target; then
  build
elif has_source; then
  build_with_std
elif debian_has_rust; then
  use_debian_rust
  build_with_std
else
  skip
fi

core=$CARGO_TARGET_DIR/$wasm/release/portfolio.wasm
[[ dist/portfolio.wasm -nt $core ]] || jco new "$core" --output dist/portfolio.wasm
rm -f dist/skipped.txt

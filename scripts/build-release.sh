#!/usr/bin/env bash
# scripts/build-release.sh TARGET: the binary that is published for a Rust target, in target/binaries.
# For Linux zig links, so that it needs no newer glibc than 2.17, whatever this machine has, and other processors are no other
# machine. BUILD_STD=1 builds Rust's own library too, from its source: for a Rust that has it for this machine alone.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?a Rust target, such as x86_64-unknown-linux-gnu}
ZIGLANG=0.17.1
ZIGBUILD=0.24.1
GLIBC=2.17

arguments=(--release --lib --locked)
if [ "${BUILD_STD:-}" = 1 ]; then
  export RUSTC_BOOTSTRAP=1
  arguments+=(-Zbuild-std=std,panic_unwind)
fi
case $target in
  *-linux-*)
    zig=${CARGO_TARGET_DIR:-target}/tools/zig-$ZIGLANG-$ZIGBUILD
    if [ ! -x $zig/bin/cargo-zigbuild ]; then
      python3 -m venv $zig
      $zig/bin/pip install --quiet ziglang==$ZIGLANG cargo-zigbuild==$ZIGBUILD
    fi
    export PATH=$(realpath $zig)/bin:$PATH
    # Node is linked with musl's shared library: a static one would be a second.
    if [[ $target == *-musl ]]; then export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=-crt-static"; fi
    with=$target
    if [[ $target == *-gnu ]]; then with=$target.$GLIBC; fi
    cargo zigbuild "${arguments[@]}" --target "$with"
    ;;
  *-windows-msvc)
    # Node brings its own C runtime, and a clean Windows has none.
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
    cargo build "${arguments[@]}" --target "$target"
    ;;
  *) cargo build "${arguments[@]}" --target "$target" ;;
esac

case $target in
  x86_64-*) cpu=x64 ;;
  aarch64-*) cpu=arm64 ;;
  *) echo "no platform package is for $target" >&2 && exit 2 ;;
esac
case $target in
  *-linux-*) platform=linux-$cpu-${target##*-} built=libclustershazbot.so ;;
  *-darwin) platform=darwin-$cpu built=libclustershazbot.dylib ;;
  *-windows-msvc) platform=win32-$cpu-msvc built=clustershazbot.dll ;;
esac
mkdir -p target/binaries
binary=target/binaries/clustershazbot.$platform.node
cp "${CARGO_TARGET_DIR:-target}/$target/release/$built" "$binary"

# What it is for: the newest glibc that it names, and its size.
if [[ $target == *-linux-gnu ]]; then
  newest=$(grep -aoE 'GLIBC_[0-9]+\.[0-9]+' "$binary" | sort -Vu | tail -n 1)
  echo "$binary needs $newest"
  if [ "$(printf '%s\n' "$newest" GLIBC_$GLIBC | sort -V | tail -n 1)" != GLIBC_$GLIBC ]; then
    echo "that is newer than $GLIBC" >&2 && exit 1
  fi
fi
size=$(wc -c < "$binary")
echo "$binary has $size bytes"
if [ "$size" -gt 4000000 ]; then
  echo 'that is more than 4 MB' >&2 && exit 1
fi

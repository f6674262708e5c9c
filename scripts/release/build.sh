#!/usr/bin/env bash
# npm run release -- build TARGET: builds the binary of one platform for a Rust target, as it is published, in target/binaries.
# For Linux zig links it, against glibc 2.17 whatever this machine has, and also for other processors. BUILD_STD=1 compiles
# Rust's standard library from source as well, for a Rust that has it only for this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:?a Rust target, such as x86_64-unknown-linux-gnu}
GLIBC=2.17

arguments=(--release --lib --locked)
if [ "${BUILD_STD:-}" = 1 ]; then
  export RUSTC_BOOTSTRAP=1
  arguments+=(-Zbuild-std=std,panic_unwind)
fi
case $target in
  *-linux-*)
    zig=${CARGO_TARGET_DIR:-target}/tools/zig-$(cksum scripts/release/zig.txt | cut -d " " -f 1)
    if [ ! -x $zig/bin/cargo-zigbuild ]; then
      python3 -m venv $zig
      $zig/bin/pip install --quiet --require-hashes --only-binary=:all: --requirement scripts/release/zig.txt
    fi
    export PATH=$(realpath $zig)/bin:$PATH
    # Links musl dynamically: Node has loaded it already, and a static copy would be a second one.
    if [[ $target == *-musl ]]; then export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=-crt-static"; fi
    with=$target
    if [[ $target == *-gnu ]]; then with=$target.$GLIBC; fi
    cargo zigbuild "${arguments[@]}" --target "$with"
    ;;
  *-windows-msvc)
    # Links the C runtime statically: a fresh Windows does not have it, and Node does not share its own.
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
    cargo build "${arguments[@]}" --target "$target"
    ;;
  *) cargo build "${arguments[@]}" --target "$target" ;;
esac

case $target in
  x86_64-*) cpu=x64 ;;
  aarch64-*) cpu=arm64 ;;
  *) echo "no platform package exists for $target" >&2 && exit 2 ;;
esac
case $target in
  *-linux-*) platform=linux-$cpu-${target##*-} built=libclustershazbot.so ;;
  *-darwin) platform=darwin-$cpu built=libclustershazbot.dylib ;;
  *-windows-msvc) platform=win32-$cpu-msvc built=clustershazbot.dll ;;
esac
mkdir -p target/binaries
binary=target/binaries/clustershazbot.$platform.node
cp "${CARGO_TARGET_DIR:-target}/$target/release/$built" "$binary"

# Checks the newest glibc that the binary requires, and its size.
if [[ $target == *-linux-gnu ]]; then
  newest=$(grep -aoE 'GLIBC_[0-9]+\.[0-9]+' "$binary" | sort -Vu | tail -n 1)
  echo "$binary requires $newest"
  if [ "$(printf '%s\n' "$newest" GLIBC_$GLIBC | sort -V | tail -n 1)" != GLIBC_$GLIBC ]; then
    echo "$binary must not require more than GLIBC_$GLIBC" >&2 && exit 1
  fi
fi
size=$(wc -c < "$binary")
echo "$binary has $size bytes"
if [ "$size" -gt 5000000 ]; then
  echo "$binary must not exceed 5 MB" >&2 && exit 1
fi

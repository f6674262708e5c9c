#!/usr/bin/env bash
# npm run release -- publish [--dry-run]: publishes the packages that `npm run release -- pack` made, the platform packages
# first, because the main package depends on them. Skips versions that are published already, so it can be run again.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$(node -p 'require("./package.json").version')
if ! latest=$(npm view --loglevel error clustershazbot version 2>&1); then
  # A registry that cannot be reached is an error; E404 means that no version is published yet.
  if [[ $latest != *E404* ]]; then echo "$latest" >&2 && exit 1; fi
  latest=
fi
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
for file in target/pack/clustershazbot-*-"$version".tgz "$main"; do
  name=$(basename "$file" "-$version.tgz")
  if [ -n "$(npm view "$name@$version" version 2> /dev/null)" ]; then
    echo "$name $version is published already"
  else
    npm publish "$file" --access public "$@"
  fi
done

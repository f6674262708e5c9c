#!/usr/bin/env bash
# scripts/publish.sh [--dry-run]: publishes what `npm run pack` has made, the platform packages first: whoever installs the
# package then finds them. What is there already is left alone, so that it can be run again.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(node -p 'require("./package.json").version')
if ! latest=$(npm view --loglevel error clustershazbot version 2>&1); then
  # Not known what the latest is, but that there is none.
  if [[ $latest != *E404* ]]; then echo "$latest" >&2 && exit 1; fi
  latest=
fi
if [[ $version == *-* ]]; then
  set -- --tag next "$@"
elif [ "$(printf '%s\n' "${latest%%-*}" "$version" | sort -V | tail -n 1)" != "$version" ]; then
  # A fix of an older line: whoever asks for no version gets the latest all the same.
  set -- --tag "latest-${version%.*}" "$@"
fi
main=target/pack/clustershazbot-$version.tgz
# Without its binary the package installs in silence, and fails where it runs.
for platform in npm/*/; do
  file=target/pack/clustershazbot-$(basename "$platform")-$version.tgz
  if [ ! -f "$file" ]; then echo "$file is missing; npm run pack makes it" >&2 && exit 1; fi
done
for file in target/pack/clustershazbot-*-"$version".tgz "$main"; do
  name=$(basename "$file" "-$version.tgz")
  if [ -n "$(npm view "$name@$version" version 2> /dev/null)" ]; then
    echo "$name $version is there already"
  else
    npm publish "$file" --access public "$@"
  fi
done

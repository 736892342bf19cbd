#!/usr/bin/env bash
# Builds the dashboard into api/dashboard/dist, from where the next cargo build embeds it. Does nothing when that is
# newer than its sources, and says so where Node.js is missing: the binary is then built without the dashboard.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../api/dashboard"

wanted=$(sed -n 's/.*"node": ">=\([0-9]*\)".*/\1/p' package.json)
found=$(node --print 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
if ((found < wanted)) || ! command -v npm >/dev/null; then
    echo "Node.js $wanted or later was not found (optional): the page will say how to get the dashboard."
    exit
fi

changed() { find . \( -name node_modules -o -name dist \) -prune -o -type f -newer dist/index.html -print; }
if [[ -e dist/index.html && -z $(changed) ]]; then
    exit
fi

echo "Building the dashboard."
# The dependencies' own install scripts are not needed, so they do not get to run.
if npm ci --silent --ignore-scripts --no-audit --no-fund && npm run --silent build; then
    exit
fi
[[ ${CI:-} != true ]] || exit 1
echo "The dashboard could not be built; the reason is above. The page will say how to get it."

#!/bin/bash
# Checks the types of the live page's scripts, if TypeScript is there. `make lint` runs it.

set -u
cd "$(dirname "$0")/../twoapi/tests/page" || exit 1
if [ -x node_modules/.bin/tsc ]; then
  exec node_modules/.bin/tsc -p .
fi
echo "TypeScript is not installed: the types of the page's scripts are not checked. 'make test-page' installs it."

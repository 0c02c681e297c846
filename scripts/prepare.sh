# Installs what the project needs and is missing: Debian packages, npm packages, the native addon. Sourced by start and test,
# in the project's folder.

missing=
need() { # need COMMAND DEBIAN-PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need softhsm2-util softhsm2
need g++ g++
need make make
need python3 python3
[ -z "${for_tests:-}" ] || need systemd-analyze systemd
# NSS, the second HSM of the tests, has no command.
if [ -n "${for_tests:-}" ] && ! find /usr/lib /usr/lib64 -name libsoftokn3.so 2>/dev/null | grep -q .; then
  missing="$missing libnss3"
fi
# The programs of the server are not in PATH.
if [ -n "${for_tests:-}" ] && ! find /usr/lib/postgresql -name initdb 2>/dev/null | grep -q .; then
  missing="$missing postgresql"
fi

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian packages:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # The tests start servers of their own: the package of PostgreSQL need not create one now.
    no_cluster=/etc/postgresql-common/createcluster.d/strongroom-tests.conf
    case $missing in
      *postgresql*) mkdir -p "${no_cluster%/*}" && echo 'create_main_cluster = false' >"$no_cluster" ;;
    esac
    { apt-get update && apt-get install -y --no-install-recommends $missing; } >/dev/null && failed= || failed=yes
    rm -f "$no_cluster"
    [ -z "$failed" ] || exit 1
  else
    if command -v sudo >/dev/null 2>&1; then as='run this' sudo='sudo '; else as='run this as root' sudo=; fi
    echo "Missing:$missing. On Debian, $as, then try again:" >&2
    echo "  ${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends$missing" >&2
    exit 1
  fi
fi

# The stamp is the lock file of the last complete installation.
if ! cmp -s package-lock.json node_modules/.strongroom-installed; then
  if ! command -v npm >/dev/null 2>&1 || ! node -e 'process.exit(parseInt(process.version.slice(1)) < 20 ? 1 : 0)'; then
    echo "Node.js 20 or newer, with npm, is needed: see https://nodejs.org" >&2
    exit 1
  fi
  place=$PWD
  [ ! -e node_modules ] || place=$PWD/node_modules
  if [ ! -w "$place" ]; then
    echo "Cannot install npm packages: no permission to write to $place. Ask its owner to run ./scripts/start once." >&2
    exit 1
  fi
  echo "Installing npm packages" >&2
  # Of all packages, only these two have a script that is needed: the Node.js that runs the project, and the native addon.
  npm ci --ignore-scripts --loglevel=error >/dev/null
  npm rebuild --ignore-scripts=false --loglevel=error node >/dev/null
  # The addon is built against the headers of that Node.js, which lie beside it: nothing to download. Makefiles cannot handle the spaces,
  # quotes and dollars that the path of the project may have, so all of it is built elsewhere.
  headers=$(find "$PWD/node_modules" -path '*/include/node/node_api.h' | head -n 1)
  build=$(mktemp -d /tmp/strongroom-build-XXXXXX)
  mkdir "$build/node" "$build/node_modules"
  cp package.json "$build"
  cp -R node_modules/pkcs11js "$build/node_modules"
  cp -R "${headers%/node/node_api.h}" "$build/node"
  (
    cd "$build"
    npm_config_nodedir=$build/node npm rebuild --ignore-scripts=false --loglevel=error pkcs11js >/dev/null
  ) || { rm -rf "$build"; exit 1; }
  rm -rf node_modules/pkcs11js/build
  cp -R "$build/node_modules/pkcs11js/build" node_modules/pkcs11js
  rm -rf "$build"
  # Replaced, not written into: a copy of the folder may consist of hard links.
  cp package-lock.json node_modules/.strongroom-installing
  mv node_modules/.strongroom-installing node_modules/.strongroom-installed
fi
tools=deploy/tools
if [ -n "${for_tests:-}" ] && ! cmp -s $tools/package-lock.json $tools/node_modules/.strongroom-installed; then
  {
    npm ci --prefix $tools --ignore-scripts --loglevel=error >/dev/null &&
      cp $tools/package-lock.json $tools/node_modules/.strongroom-installed
  } || echo "The tools for the tests of deploy/ could not be installed: those tests are skipped" >&2
fi
PATH=$PWD/node_modules/.bin:$PATH

#!/bin/sh
# Finds a kube-apiserver for the tests, or builds one, and prints its path.
#
#   tests/tools/kube-apiserver.sh            the path; builds if there is none (about ten minutes, once)
#   tests/tools/kube-apiserver.sh --find     the path, or nothing and status 1
#
# Searched, in this order: $KUBE_APISERVER, $KUBEBUILDER_ASSETS, PATH, the cache. The build takes
# Debian's source package `kubernetes`, which carries its vendored dependencies, and Debian's Go;
# nothing else is fetched. The apt sources are those of this machine, read with `deb-src` added in
# a folder of our own: the system's configuration stays as it is.
set -eu

VERSION=1.20.2
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/pilothouse/kube-apiserver-$VERSION"
BINARY="$CACHE/kube-apiserver"

find_binary() {
  for candidate in "${KUBE_APISERVER:-}" "${KUBEBUILDER_ASSETS:-/nonexistent}/kube-apiserver" \
      "$(command -v kube-apiserver || true)" "$BINARY"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then echo "$candidate"; return 0; fi
  done
  return 1
}

say() { echo "kube-apiserver: $*" >&2; }

# apt-get with the machine's own sources, read as source packages too, in lists of our own.
prepare_sources() {
  mkdir -p "$WORK/apt/parts" "$WORK/apt/lists/partial"
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] && sed 's/^Types: *deb *$/Types: deb-src/' "$file" > "$WORK/apt/parts/$(basename "$file")"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] && sed -n 's/^deb \(.*\)$/deb-src \1/p' "$file" > "$WORK/apt/parts/$(basename "$file" .list).list"
  done
  return 0
}

apt_source() {
  apt-get -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$WORK/apt/parts" \
    -o Dir::State::lists="$WORK/apt/lists" -o APT::Sandbox::User=root -qq "$@" >&2
}

fetch() {
  prepare_sources
  # A third party's repository without source packages fails here and matters not.
  apt_source update || say "some repositories have no source packages; going on"
  (cd "$WORK" && apt_source --download-only source kubernetes)
  tar -C "$WORK" -xf "$WORK"/kubernetes_*.orig.tar.*
  mkdir -p "$WORK/go/src/k8s.io"
  mv "$(dirname "$(find "$WORK" -maxdepth 2 -name go.mod | head -n 1)")" "$TREE"
  replace_reflect2
}

# The copy of reflect2 that the package carries reads maps through internals of the Go runtime which
# Go 1.18 changed: an apiserver with it dies of a fault sooner or later. Debian's own is newer.
replace_reflect2() {
  apt_download golang-github-modern-go-reflect2-dev || { apt-get -qq update >&2; apt_download golang-github-modern-go-reflect2-dev; }
  dpkg-deb -x "$WORK"/golang-github-modern-go-reflect2-dev_*.deb "$WORK/reflect2"
  rm -rf "$TREE/vendor/github.com/modern-go/reflect2"
  cp -rL "$WORK/reflect2/usr/share/gocode/src/github.com/modern-go/reflect2" "$TREE/vendor/github.com/modern-go/reflect2"
}

apt_download() {
  (cd "$WORK" && apt-get -qq -o APT::Sandbox::User=root download "$1" >&2)
}

# The OpenAPI definitions are generated code, which the package does not carry.
generate() {
  cd "$TREE"
  go build -o "$WORK/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  packages=$(grep -rl --include='*.go' --exclude='*_test.go' '+k8s:openapi-gen=' pkg staging/src/k8s.io vendor/k8s.io \
    | grep -v -e /sample -e /testdata/ -e /test/ | xargs -n 1 dirname | sort -u \
    | sed -e 's#^staging/src/##' -e 's#^vendor/k8s.io/#k8s.io/#' -e 's#^pkg/#k8s.io/kubernetes/pkg/#' -e 's#^pkg$#k8s.io/kubernetes/pkg#' \
    | sort -u | paste -sd, -)
  "$WORK/openapi-gen" --output-base "$WORK/go/src" --go-header-file hack/boilerplate/boilerplate.generatego.txt \
    --output-package k8s.io/kubernetes/pkg/generated/openapi --output-file-base zz_generated.openapi \
    --report-filename "$WORK/violations" --input-dirs "$packages" >&2
}

compile() {
  cd "$TREE"
  flags=""
  for package in k8s.io/kubernetes/vendor/k8s.io/component-base/version k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version; do
    flags="$flags -X $package.gitVersion=v$VERSION -X $package.gitMajor=1 -X $package.gitMinor=20"
  done
  go build -ldflags "-s -w $flags" -o "$WORK/kube-apiserver" ./cmd/kube-apiserver
}

build() {
  say "none found; building $VERSION from Debian's source package, once"
  if ! command -v go >/dev/null || ! command -v dpkg-source >/dev/null; then
    apt-get -qq update >&2 || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends golang-go dpkg-dev >&2
  fi
  mkdir -p "$CACHE"
  WORK=$(mktemp -d "$CACHE/build.XXXXXX")
  TREE="$WORK/go/src/k8s.io/kubernetes"
  trap 'chmod -R u+w "$WORK" && rm -rf "$WORK"' EXIT
  export GOPATH="$WORK/go" GOCACHE="$WORK/gocache" GO111MODULE=off GOFLAGS= CGO_ENABLED=0
  fetch
  say "generating"
  (generate)
  say "compiling"
  (compile)
  mv "$WORK/kube-apiserver" "$BINARY"
}

if find_binary; then exit 0; fi
if [ "${1:-}" = --find ]; then exit 1; fi
build
find_binary

# What the scripts of this folder share: how they speak, and what they are about. Source it.
# shellcheck shell=sh
set -eu
cd "$(dirname "$0")/.."
# shellcheck disable=SC2034 # the scripts use it
python=${VENV:-.venv}/bin/python

say() { printf '%s\n' "$*"; }
say_error() { printf '\ntidegate: %s\n' "$*" >&2; }
die() {
    say_error "$*"
    exit 1
}

need() { # COMMAND WHAT-TO-DO
    command -v "$1" >/dev/null 2>&1 || die "$1 is not installed: $2"
}

need_docker() {
    need docker "see https://docs.docker.com/engine/install, or use an alias to podman"
    docker info >/dev/null 2>&1 || die "docker does not answer: start it, or add yourself to its group"
}

# Whether the cluster knows a kind, also for those who may look into their own namespace alone
has_kind() { # PLURAL.GROUP
    kubectl api-resources --api-group="${1#*.}" --output name 2>/dev/null | grep -qx "$1"
}

# The folder whose pyproject.toml has an image's version
package_of() { # IMAGE
    case $1 in
        web | serving) echo "services/$1" ;;
        loadtest) echo . ;;
        *) die "IMAGES: expected web, serving or loadtest, came $1" ;;
    esac
}

version_of() { # PACKAGE-FOLDER
    sed -n 's/^version = "\(.*\)"/\1/p' "$1/pyproject.toml"
}

# The images are for the machine's own kind of processor unless ARCH says otherwise
machine() {
    case ${ARCH:-$(uname -m)} in
        x86_64 | amd64) echo x86_64 ;;
        aarch64 | arm64) echo aarch64 ;;
        *) die "ARCH=${ARCH:-$(uname -m)}: expected x86_64 or aarch64" ;;
    esac
}

need_cluster() {
    need kubectl "see https://kubernetes.io/docs/tasks/tools"
    context=$(kubectl config current-context 2>/dev/null) || context=
    [ -n "$context" ] || die "kubectl has no current context: make cluster, or set KUBECONFIG"
    kubectl version >/dev/null 2>&1 || die "the cluster $context does not answer: kubectl cluster-info"
}

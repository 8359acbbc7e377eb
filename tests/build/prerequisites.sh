#!/bin/sh
# Tests packaging/prerequisites.sh on machines that are made of stand-ins: the parts that each lacks, and the
# script's answer. Needs no root, no network and no Debian.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
script=$here/../../packaging/prerequisites.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0

fail() {
    echo "FAILED: $name: $1" >&2
    sed 's/^/  | /' "$work/said" >&2
    exit 1
}

# program NAME LINE...: a stand-in on the machine's PATH.
program() {
    file=$bin/$1
    shift
    { echo '#!/bin/sh' && printf '%s\n' "$@"; } >"$file"
    chmod 755 "$file"
}

# machine NAME: a Debian 12 with everything that a build needs, whose package lists are empty; run by a user.
machine() {
    name=$1
    bin=$work/bin log=$work/log certificates=$work/certificates release=$work/os-release
    rm -rf "$bin"
    mkdir "$bin"
    : >"$log"
    for tool in cat flock grep head ln mkdir rmdir sed sh sleep tr; do ln -s "$(command -v $tool)" "$bin/$tool"; done
    echo certificate >"$certificates"
    printf 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n' >"$release"
    program cargo 'echo "cargo 1.90.0 (abc 2025-01-01)"'
    program rustc 'echo "rustc 1.90.0 (abc 2025-01-01)"'
    # The compiler that is there compiles; without the C library's headers it would not.
    program cc 'exit 0'
    program python3 'exit 0'
    program id 'echo 1000'
    program apt-cache 'exit 0'
    program dpkg-query 'exit 1'
    program apt-get "echo \"apt-get \$*\" >>'$log'"
}

# run EXIT: the script's output is in $work/said.
run() {
    code=0
    env -i PATH="$bin" OS_RELEASE="$release" LOCK="$work/lock" CARGO_HTTP_CAINFO="$certificates" \
        CERTIFICATES="$certificates" "$bin/sh" "$script" build "$bin/python3" >"$work/said" 2>&1 || code=$?
    [ "$code" = "$1" ] || fail "exit code $code, not $1"
}

says() {
    grep -qF -- "$1" "$work/said" || fail "does not say: $1"
    passed=$((passed + 1))
}

machine 'a Python that is not served'
for version in 2.3 3.8; do
    program python3 "printf $version"
    run 1
    says "is Python $version: the library is for 2.4 to 2.7 and 3.9 to 3.14"
done
for version in 2.4 2.5 2.6 2.7 3.9 3.14; do
    program python3 "printf $version"
    run 0
done

machine 'nothing is missing'
run 0
[ ! -s "$work/said" ] || fail 'says something'

# The absence of cargo was taken for a new enough one: awk with empty input ended well.
machine 'no Rust at all'
rm "$bin/cargo" "$bin/rustc"
run 1
says 'apt-get update && apt-get install --no-install-recommends cargo-web rustc-web'

machine 'cargo without rustc'
rm "$bin/rustc"
run 1
says 'cargo-web rustc-web'

machine 'a rustup without a toolchain'
program cargo 'echo "error: no toolchain" >&2; exit 1'
run 1
says 'cargo-web rustc-web'

machine 'an older Rust'
program cargo 'echo "cargo 1.84.1"'
run 1
says 'cargo-web rustc-web'

machine 'Rust 1.85, the oldest that will do'
program cargo 'echo "cargo 1.85.0 (x)"'
program rustc 'echo "rustc 1.85.0 (x)"'
run 0

machine 'no compiler'
rm "$bin/cc"
run 1
says '--no-install-recommends gcc libc6-dev'

machine 'a compiler without the headers of C'
# shellcheck disable=SC2016
program cc 'case $1 in --version) ;; *) exit 1 ;; esac'
run 1
says '--no-install-recommends libc6-dev'

# The machine that runs this test may have certificates of its own where others keep them.
if [ ! -s /etc/ssl/certs/ca-certificates.crt ] && [ ! -s /etc/pki/tls/certs/ca-bundle.crt ]; then
    machine 'no certificates'
    : >"$certificates"
    run 1
    says '--no-install-recommends ca-certificates'
fi

machine 'a Python without headers, which no package can mend'
program python3 'exit 1'
run 1
says 'Choose another by PYTHON='

machine 'Debian 13, with empty lists'
printf 'ID=debian\nVERSION_ID=13\n' >"$release"
rm "$bin/cargo"
run 1
says '--no-install-recommends cargo rustc'

machine 'Debian 11, whose Rust is too old'
printf 'ID=debian\nVERSION_ID=11\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n' >"$release"
rm "$bin/cargo"
run 1
says 'no package of Debian GNU/Linux 11 (bullseye) has it'
says 'by rustup'

machine 'a release whose lists have an older Rust only'
program apt-cache 'echo "  Candidate: 1.75.0+dfsg0"'
rm "$bin/cargo"
run 1
says '(it has 1.75.0)'

machine 'not Debian'
rm "$bin/apt-get" "$bin/cargo"
run 1
says 'RUST stands for cargo and rustc 1.85 or later'

# apt would have removed the older Rust without a word.
machine "Debian's older Rust is installed, root"
program id 'echo 0'
program cargo 'echo "cargo 0.66.0"'
program rustc 'echo "rustc 1.63.0"'
program dpkg-query 'echo "installed cargo 0.66.0"; echo "installed rustc 1.63.0"'
run 1
says '(cargo 0.66.0, rustc 1.63.0); cargo-web rustc-web would take its place'
! grep -q ' install' "$log" || fail 'has installed something'

# Two runs of `make -j` used to stop on apt's lock.
machine 'two runs at once, root'
program id 'echo 0'
rm "$bin/cc"
program ready 'exit 0'
# The installation takes its time, and fails if another is under way.
program apt-get "[ \"\$1\" = install ] || [ \"\$2\" = install ] || { echo \"\$*\" >>'$log'; exit 0; }" \
    "mkdir '$work/installing' || exit 1" "sleep 1" "rmdir '$work/installing'" "echo \"\$*\" >>'$log'" \
    "ln '$bin/ready' '$bin/cc'"
for one in 1 2; do
    (env -i PATH="$bin" OS_RELEASE="$release" LOCK="$work/lock" \
        CARGO_HTTP_CAINFO="$certificates" "$bin/sh" "$script" build "$bin/python3" >"$work/said.$one" 2>&1 &&
        : >"$work/well.$one") &
done
wait
cat "$work/said.1" "$work/said.2" >"$work/said"
for one in 1 2; do [ -e "$work/well.$one" ] || fail "run $one failed"; done
[ "$(grep -c '^install' "$log")" = 1 ] || fail "apt was asked to install this often: $(grep -c '^install' "$log")"
grep -q '^install.*--no-remove.* gcc libc6-dev$' "$log" || fail "what apt was asked: $(cat "$log")"

echo "prerequisites.sh: $passed sentences and $(grep -c '^machine ' "$0") machines: passed"

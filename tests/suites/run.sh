#!/bin/sh
# Runs the project on releases of Debian, each in a debootstrap folder removed afterwards: usage: run.sh SUITE...
# As root.
#
#     bookworm-root           README's first command on a bare machine, as root
#     bookworm-user           the same as a user, with what the user is told to have root run
#     bookworm bullseye sid   with the release's own Apache, mod_python and Python: cold starts, changed files, files of
#                             one name, graceful restarts, the tests in an embedded Python, a Flask application;
#                             bullseye's Rust is too old, and this machine's is lent to it
#     bookworm-packages, bullseye-packages, sid-packages
#                             Debian's packages, built there: lintian, installation, upgrades and removal, what the
#                             clients of a site lose meanwhile beside stock's own packages, autopkgtest
#
# The mirror, its key and how it is reached are those of this machine's apt; the crates are fetched with this machine's
# cargo settings. FOLDER= names where the folders are made (default: a temporary one), KEEP=1 keeps them.
# Exit code 1 if anything fails, a folder that cannot be made included.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || {
    echo "run.sh: only root can make a debootstrap folder and run in it" >&2
    exit 1
}
[ $# -gt 0 ] || set -- bookworm-root bookworm-user bookworm bullseye sid \
    bookworm-packages bullseye-packages sid-packages
command -v debootstrap >/dev/null || apt-get install -q -y --no-install-recommends debootstrap >/dev/null || {
    apt-get update -q && apt-get install -q -y --no-install-recommends debootstrap
} >/dev/null
top=${FOLDER:-$(mktemp -d)}
mkdir -p "$top"
# An interrupted debootstrap leaves its mounts, and those are this machine's own: nothing is removed through them.
discard() {
    for mounted in proc sys; do ! mountpoint -q "$1/$mounted" || umount "$1/$mounted"; done
    rm -rf --one-file-system "$1"
}
root=
trap '[ -n "${KEEP:-}" ] || { [ -z "$root" ] || discard "$root"; rm -rf --one-file-system "$top"; }' EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $suite: $1" >&2
    [ ! -e "$log" ] || tail -n 30 "$log" >&2
    exit 1
}

passed() {
    echo "passed: $suite: $1 ($(($(date +%s) - begun)) s since its start)"
}

codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# apt's package sources of this machine's own release, as lines of `address release source-file:line`.
own_targets() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(SOURCESENTRY)' "Created-By: Packages" "Origin: Debian" |
        sort -u | awk -v own="$codename" '{ release = $2; sub(/-.*/, "", release) } release == own'
}

# The key that apt checks the mirror with, if its entry names one.
keyring() {
    entry=$(own_targets | awk '{ sub(/:[0-9]*$/, "", $3); print $3; exit }')
    sed -n 's/^Signed-By: *\(\/.*\)/\1/p; s/^deb .*signed-by=\([^], ]*\).*/\1/p' "$entry" | head -n 1
}

# within COMMAND: in the folder, in namespaces of its own, so that whatever it starts ends with it.
within() {
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" sh -c '[ -z "$2" ] || mount --bind "$2" "$1/opt/rust"
        exec env -i HOME=/root LC_ALL=C PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
            chroot "$1" sh -c "$3"' sh "$root" "$rust" "$1" >>"$log" 2>&1 </dev/null
}

# A bare machine of the release, with README's own prerequisites and a clone's files in /root/source.
folder() {
    release=$1 root=$top/$suite rust='' log=$top/$suite.log begun=$(date +%s)
    discard "$root"
    : >"$log"
    [ -n "$(own_targets)" ] || fail "apt on this machine knows no mirror of Debian: run apt-get update"
    mirror=$(own_targets | awk -v own="$codename" '$2 == own { print $1; exit }')
    key=$(keyring)
    debootstrap --variant=minbase ${key:+--keyring="$key"} "$release" "$root" "$mirror" >>"$log" 2>&1 ||
        fail "debootstrap cannot make the folder"
    # Updates and security too, where this machine has them.
    if [ "$release" = "$codename" ]; then
        own_targets | awk '{ print "deb " $1 " " $2 " main" }' | sort -u >"$root/etc/apt/sources.list"
    fi
    apt-config dump | grep -E '^Acquire::(http|https|Check-|Retries)' >"$root/etc/apt/apt.conf.d/90machine" || true
    # An authority that this machine trusts besides the usual ones is trusted in the folder.
    if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
        cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || {
            mkdir -p "$root/usr/local/share/ca-certificates"
            cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
        }
    fi
    home=${CARGO_HOME:-$HOME/.cargo}
    mkdir -p "$root/root/.cargo" "$root/opt/rust" "$root/root/source"
    for file in config config.toml; do [ ! -f "$home/$file" ] || cp "$home/$file" "$root/root/.cargo/"; done
    (cd "$here" && tar -cf - --exclude=./target --exclude=./.git .) | tar -xf - -C "$root/root/source"
    within 'apt-get update -q && apt-get install -q -y --no-install-recommends git make' || fail 'git and make'
}

# The crates that this machine has fetched already.
lend_crates() {
    mkdir -p "$root/root/.cargo/registry"
    for part in cache index; do
        [ ! -d "$home/registry/$part" ] || cp -R "$home/registry/$part" "$root/root/.cargo/registry/"
    done
}

# The toolchain of this machine, where it is one in a folder of its own.
lend_rust() {
    rust=$(rustc --print sysroot) || fail 'this machine has no Rust to lend'
    [ "$rust" != /usr ] || fail "this machine's Rust is Debian's own and cannot be lent: install one by rustup"
}

# The table that README shows for `make demo`.
assert_table() {
    grep -q '^interpreters per name and process | .*| 1 1 1 1 1 *| 1 1 1 1 1 *$' "$log" || fail 'not one interpreter in each cold start'
    grep -q '^loads of the module .*| 1 1 1 1 1 *| 1 1 1 1 1 *$' "$log" || fail 'not one load in each cold start'
}

# The packages that the user is told to install, on one line.
told() {
    sed -n 's/^  apt-get update && apt-get install //p' "$log" | tail -n 1
}

bare_root() {
    folder bookworm
    within 'cd /root/source && make demo' || fail 'make demo'
    assert_table
    passed 'README: make demo, as root on a bare machine'
}

bare_user() {
    folder bookworm
    within 'useradd -m somebody && cp -R /root/source /home/somebody && chown -R somebody /home/somebody && chmod 755 /home/somebody'
    as_user="su somebody -c 'cd ~/source && make demo'"
    ! within "$as_user" || fail 'make demo as a user on a bare machine went well'
    [ -n "$(told)" ] || fail 'the user is not told the command'
    # Lists that have never been fetched give the same words.
    line=$(told)
    within 'rm -rf /var/lib/apt/lists/*'
    ! within "$as_user" || fail 'make demo without package lists went well'
    [ "$line" = "$(told)" ] || fail "with empty package lists the user is told another command: $(told)"
    within "apt-get update -q && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y $line" || fail 'what the user was told'
    within "$as_user" || fail 'make demo as a user'
    assert_table
    passed 'README: make demo, as a user with what the user was told to have installed'
}

release() {
    folder "$1"
    lend_crates
    if [ "$1" = bullseye ]; then
        ! within 'cd /root/source && make demo' || fail 'make demo without a Rust that is new enough went well'
        grep -q 'and no package of Debian GNU/Linux 11 (bullseye) has it (it has 1\.' "$log" || fail 'is not told that its Rust is too old'
        lend_rust
    fi
    within 'cd /root/source && make prerequisites-demo && make relink' || fail 'make relink'
    passed "relinked, $(grep -o 'Building for Python [0-9.]*' "$log" | tail -n 1 | sed 's/Building for //')"
    tests='twenty_of_the_relinked_module_under_worker three_of_the_relinked_module_under_event_and_prefork
        each_version_runs_once_and_nobody_meets_it_half_loaded versions_of_one_size_within_one_second_are_all_seen
        plain_handlers_of_one_name_answer_each_for_its_directory wsgi_applications_of_one_name_answer_each_for_its_directory
        four_graceful_restarts_under_load_with_worker four_graceful_restarts_under_load_with_event'
    within "cd /root/source && cargo test --release --locked -p modpython-live --test live -- --exact $(echo $tests)" ||
        fail 'the live tests'
    grep -q "^test result: ok. $(echo $tests | wc -w) passed" "$log" || fail 'some of the live tests did not run'
    passed 'cold starts, changed files, files of one name, graceful restarts'
    within 'cd /root/source && LC_ALL=C.UTF-8 cargo test --locked --test rebind35 --test import_module' || fail 'the tests in an embedded Python'
    passed "thread states and import_module in an embedded Python: $(grep -c '^test .* ok' "$log") tests"
    within 'apt-get install -q -y --no-install-recommends python3-flask && cd /root/source && sh tests/suites/flask.sh target/relinked/mod_python.so' || fail 'the Flask application'
    grep '^flask: ' "$log"
    passed 'a Flask application'
}

packages() {
    folder "$1"
    lend_crates
    [ "$1" != bullseye ] || lend_rust
    installed='DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends'
    within "cd /root/source && make prerequisites-demo && $installed build-essential debhelper fakeroot lintian autopkgtest" ||
        fail 'what the packages are built and looked at with'
    # The lent Rust is no package: the build's dependencies are not looked at.
    within "cd /root/source && sh packaging/source-package.sh /root/packages && cd /root/packages/modpython-core-*/ &&
        dpkg-buildpackage -us -uc ${rust:+-d}" || fail 'the packages are not built'
    # The packaging is for a policy, and has overrides of tags, that an older release's lintian does not know yet.
    within 'lintian --fail-on error,warning --suppress-tags newer-standards-version,malformed-override /root/packages/*.changes' || fail 'lintian'
    passed "built: $(cd "$root/root/packages" && echo libmodpython-core0-py*[0-9]_*.deb); lintian has no error and no warning"
    within 'cd /root/source && sh tests/suites/packages.sh /root/packages' || fail 'installation, upgrade and removal'
    passed 'installed, switched, upgraded, removed and purged'
    within 'cd /root/source && python3 tests/suites/losses.py /root/packages' || fail 'what clients lose'
    grep '^losses: ' "$log"
    passed 'clients lose no more than with stock'
    # The folder is what keeps the test apart, and the null server of newer releases does not say so.
    within 'cd /root/packages && autopkgtest --ignore-restrictions=isolation-container -B *.deb *.dsc -- null' ||
        fail 'autopkgtest'
    grep -q '^serves  *PASS$' "$log" || fail 'the autopkgtest did not run'
    passed 'autopkgtest'
}

for suite; do
    log=/nonexistent
    case $suite in
    bookworm-root) bare_root ;;
    bookworm-user) bare_user ;;
    bookworm | bullseye | sid) release "$suite" ;;
    bookworm-packages | bullseye-packages | sid-packages) packages "${suite%-packages}" ;;
    *) fail 'there is no such suite' ;;
    esac
    [ -n "${KEEP:-}" ] || discard "$root"
done

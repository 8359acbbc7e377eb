#!/bin/sh
# Installs Debian's packages of this project on this system, and takes them away again: usage: packages.sh
# FOLDER-OF-DEBS. As root, on a system that is for nothing else: a debootstrap folder with apache2 and
# libapache2-mod-python.
#
# After each step a page is asked for, and the child's note in the error log says which module answers.
set -eu

debs=$1
stock=/usr/lib/apache2/modules/mod_python.so
ours=/var/lib/modpython-core/mod_python.so
export DEBIAN_FRONTEND=noninteractive
here=$(dirname "$0")
# shellcheck source=/dev/null
. "$here/serves.sh"

# Lists the files that packages own or leave, and the enabled modules.
state() {
    find /etc/apache2 /usr/lib/apache2 /var/lib/apache2 /var/lib/modpython-core /usr/lib/*-linux-gnu/libmodpython* /usr/bin/modpython* \
        ! -type d 2>/dev/null | sort
    sha256sum "$stock"
}

begin 'before'
site
serves stock
state >/tmp/before

begin 'install'
begun=$(date +%s)
apt-get install -q -y --no-install-recommends "$debs"/libmodpython-core0-py3.*[0-9]_*.deb "$debs"/modpython-relink_*.deb \
    "$debs"/libapache2-mod-python-core_*.deb >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
[ -e "$ours" ] || fail 'nothing is relinked'
serves stock
begin 'a2enmod'
a2enmod -q modpython_core
serves active
echo "from apt to the answer: $(($(date +%s) - begun)) s"

begin 'upgrade of the stock package'
sh "$here/repack.sh" /tmp/upgrades 1
sum=$(sha256sum "$ours")
dpkg -i /tmp/upgrades/1.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail 'dpkg'; }
[ "$sum" != "$(sha256sum "$ours")" ] || fail 'the trigger has not relinked the new module'
modpython-relink --check "$ours" >/tmp/check.log || { cat /tmp/check.log; fail 'the relinked module is not current'; }
serves active

begin 'the stock package back'
apt-get install -q -y --allow-downgrades --no-install-recommends "libapache2-mod-python=$(apt-cache madison libapache2-mod-python |
    awk 'NR == 1 { print $3 }')" >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
serves active

begin 'a2dismod'
a2dismod -q modpython_core
serves stock
a2enmod -q modpython_core

begin 'remove'
apt-get remove -q -y libapache2-mod-python-core >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
[ ! -e "$ours" ] || fail 'the relinked module is left'
serves stock

begin 'purge'
apt-get purge -q -y libapache2-mod-python-core modpython-relink 'libmodpython-core0-py3*' >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
serves stock
state | diff /tmp/before - || fail 'something is left, as above'
[ ! -e /var/lib/modpython-core ] || fail 'the folder is left'
echo 'passed: purge: nothing is left, and all is as it was'

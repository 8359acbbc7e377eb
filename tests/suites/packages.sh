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
log=/var/log/apache2/error.log
export DEBIAN_FRONTEND=noninteractive

fail() {
    echo "FAILED: $step: $1" >&2
    tail -n 20 "$log" >&2
    exit 1
}

# Of all that packages own or leave, what is there: the files and the enabled modules.
state() {
    find /etc/apache2 /usr/lib/apache2 /var/lib/apache2 /var/lib/modpython-core /usr/lib/*-linux-gnu/libmodpython* /usr/bin/modpython* \
        ! -type d 2>/dev/null | sort
    sha256sum "$stock"
}

# serves active|stock: starts the server anew, asks for the page, and stops it.
serves() {
    : >"$log"
    apachectl start >/dev/null 2>&1 || fail 'the server does not start'
    python3 - <<'END' || fail 'the page is not answered'
import time, urllib.request
end = time.monotonic() + 30
while True:
    try:
        text = urllib.request.urlopen("http://127.0.0.1:18081/page", timeout=30).read()
        break
    except ConnectionRefusedError:
        if time.monotonic() > end:
            raise
assert text == b"served", text
END
    apachectl stop >/dev/null 2>&1
    turns=0
    while [ -e /run/apache2/apache2.pid ]; do
        turns=$((turns + 1))
        [ "$turns" -lt 300 ] || fail 'the server does not stop'
        sleep 0.1
    done
    case $1 in
    active) grep -q 'modpython-core: version .* active' "$log" || fail 'the stock module answers' ;;
    stock) ! grep -q 'modpython-core: version' "$log" || fail 'the relinked module answers' ;;
    esac
    ! grep -E 'exit signal|Fatal Python|AH00052' "$log" || fail 'a child has crashed'
    echo "passed: $step: served by $1"
}

step='before'
mkdir -p /srv/site
echo 'def handler(req):
    from mod_python import apache
    req.write("served")
    return apache.OK' >/srv/site/served_page.py
echo 'Listen 127.0.0.1:18081' >/etc/apache2/ports.conf
echo 'ServerName 127.0.0.1
<Location /page>
    SetHandler mod_python
    PythonPath "sys.path + [\"/srv/site\"]"
    PythonHandler served_page
</Location>' >/etc/apache2/conf-enabled/served.conf
serves stock
state >/tmp/before

step='install'
begun=$(date +%s)
apt-get install -q -y --no-install-recommends "$debs"/libmodpython-core0-py3.??_*.deb "$debs"/modpython-relink_*.deb \
    "$debs"/libapache2-mod-python-core_*.deb >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
[ -e "$ours" ] || fail 'nothing is relinked'
serves stock
step='a2enmod'
a2enmod -q modpython_core
serves active
echo "from apt to the answer: $(($(date +%s) - begun)) s"

# The same package with another module in it, and a higher version.
step='upgrade of the stock package'
cd /tmp && rm -rf repack && mkdir repack
dpkg-query -L libapache2-mod-python | while read -r file; do
    [ -d "$file" ] || { mkdir -p "repack$(dirname "$file")" && cp -a "$file" "repack$file"; }
done
mkdir repack/DEBIAN
dpkg-query -s libapache2-mod-python | sed -n '/^Conffiles:/,/^[^ ]/{/^ /d;/^Conffiles:/d}; /^Status:/d; s/^\(Version: .*\)/\1.1/; p' >repack/DEBIAN/control
dpkg-query -W -f '${Conffiles}\n' libapache2-mod-python | awk 'NF { print $1 }' >repack/DEBIAN/conffiles
for script in preinst postinst prerm postrm; do
    [ ! -e "/var/lib/dpkg/info/libapache2-mod-python.$script" ] || cp "/var/lib/dpkg/info/libapache2-mod-python.$script" "repack/DEBIAN/$script"
done
echo upgraded >>"repack$stock"
dpkg-deb -b --root-owner-group repack upgraded.deb >/dev/null
sum=$(sha256sum "$ours")
dpkg -i upgraded.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail 'dpkg'; }
[ "$sum" != "$(sha256sum "$ours")" ] || fail 'the trigger has not relinked the new module'
modpython-relink --check "$ours" >/tmp/check.log || { cat /tmp/check.log; fail 'the relinked module is not current'; }
serves active

step='the stock package back'
apt-get install -q -y --allow-downgrades --no-install-recommends "libapache2-mod-python=$(apt-cache madison libapache2-mod-python |
    awk 'NR == 1 { print $3 }')" >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
serves active

step='a2dismod'
a2dismod -q modpython_core
serves stock
a2enmod -q modpython_core

step='remove'
apt-get remove -q -y libapache2-mod-python-core >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
[ ! -e "$ours" ] || fail 'the relinked module is left'
serves stock

step='purge'
apt-get purge -q -y libapache2-mod-python-core modpython-relink 'libmodpython-core0-py3*' >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; fail 'apt'; }
serves stock
state | diff /tmp/before - || fail 'something is left, as above'
[ ! -e /var/lib/modpython-core ] || fail 'the folder is left'
echo 'passed: purge: nothing is left, and all is as it was'

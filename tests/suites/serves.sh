# shellcheck shell=sh
# For scripts that ask which module answers, by `. serves.sh`: a page in this system's own Apache, on a port of its own.
# As root.
#
# The child's note in the error log says which module it has.

log=/var/log/apache2/error.log
step=

# begin STEP: names the step that failures belong to from now on.
begin() {
    step=$1
}

fail() {
    echo "FAILED: $step: $1" >&2
    [ ! -e "$log" ] || tail -n 20 "$log" >&2
    exit 1
}

# The page, in the place of what the server listens to.
site() {
    mkdir -p /srv/site
    echo 'def handler(req):
    from mod_python import apache
    req.write("served")
    return apache.OK' >/srv/site/served_page.py
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    echo "Listen 127.0.0.1:$port" >/etc/apache2/ports.conf
    echo 'ServerName 127.0.0.1
<Location /page>
    SetHandler mod_python
    PythonPath "sys.path + [\"/srv/site\"]"
    PythonHandler served_page
</Location>' >/etc/apache2/conf-enabled/served.conf
}

# The server has gone when its file has.
stopped() {
    apachectl stop >/dev/null 2>&1 || true
    turns=0
    while [ -e /run/apache2/apache2.pid ]; do
        turns=$((turns + 1))
        [ "$turns" -lt 300 ] || fail 'the server does not stop'
        sleep 0.1
    done
}

# serves active|stock: starts the server anew, asks for the page, and stops it.
serves() {
    : >"$log"
    apachectl start >/dev/null 2>&1 || fail 'the server does not start'
    python3 - "$port" <<'END' || fail 'the page is not answered'
import sys, time, urllib.request
end = time.monotonic() + 30
while True:
    try:
        text = urllib.request.urlopen("http://127.0.0.1:%s/page" % sys.argv[1], timeout=30).read()
        break
    except OSError:
        if time.monotonic() > end:
            raise
assert text == b"served", text
END
    stopped
    case $1 in
    active) grep -q 'modpython-core: version .* active' "$log" || fail 'the stock module answers' ;;
    stock) ! grep -q 'modpython-core: version' "$log" || fail 'the relinked module answers' ;;
    esac
    ! grep -E 'exit signal|Fatal Python|AH00052' "$log" || fail 'a child has crashed'
    echo "passed: $step: served by $1"
}

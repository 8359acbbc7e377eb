#!/bin/sh
# A Flask application behind mod_python.wsgi in this system's Apache: flask.sh MODULE. As root, on a port of its own.
#
# 32 clients ask at once for its first page; all have to be answered, by one interpreter that has run the file once, and
# again after a graceful restart.
set -eu

module=$(readlink -f "$1")
work=$(mktemp -d)
chmod 755 "$work"
mkdir "$work/site" "$work/logs"
trap 'test ! -s "$work/pid" || kill "$(cat "$work/pid")"; rm -rf "$work"' EXIT
# The children are www-data, who cannot enter root's home.
for library in "$(dirname "$module")"/libmodpython-core-py*; do cp "$library" "$work/"; done
cp "$module" "$work/mod_python.so"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cat >"$work/site/site_of_flask.py" <<'END'
import os, sys, time
from flask import Flask, request
started = "%d.%d" % (os.getpid(), time.time_ns())
time.sleep(0.2)
application = Flask(__name__)

@application.route("/hello/<name>")
def hello(name):
    return "hello %s from %s, %s" % (name, started, request.args["number"])
END
cat >"$work/httpd.conf" <<END
ServerRoot $work
ServerName 127.0.0.1
Listen 127.0.0.1:$port
PidFile $work/pid
ErrorLog $work/logs/error.log
User www-data
Group www-data
LoadModule mpm_worker_module /usr/lib/apache2/modules/mod_mpm_worker.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule python_module $work/mod_python.so
StartServers 1
ServerLimit 1
ThreadsPerChild 40
MaxRequestWorkers 40
ThreadLimit 40
DocumentRoot $work/site
<Location "/">
    SetHandler mod_python
    PythonPath "sys.path + ['$work/site']"
    PythonHandler mod_python.wsgi
    PythonOption mod_python.wsgi.application site_of_flask
    PythonOption mod_python.wsgi.base_uri ""
</Location>
END

/usr/sbin/apache2 -f "$work/httpd.conf" -k start
cat >"$work/ask.py" <<'END'
import re, sys, threading, time, urllib.request
port, graceful = sys.argv[1], sys.argv[2]
answers = []
begin = threading.Barrier(32)

def ask(number):
    begin.wait()
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen("http://127.0.0.1:%s/hello/x?number=%d" % (port, number), timeout=30) as answer:
                answers.append((number, answer.read().decode()))
            return
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise

threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(answers) == 32, "%d of 32 were answered" % len(answers)
assert all(re.fullmatch(r"hello x from \S+, %d" % number, text) for number, text in answers), answers
starts = {text.split()[3] for _, text in answers}
assert len(starts) == 1, "the application was started %d times" % len(starts)
print("flask: 32 of 32 answered by one application, %s" % graceful)
END
python3 "$work/ask.py" "$port" "at a cold start" || { cat "$work/logs/error.log" >&2; exit 1; }
children() { cat "/proc/$(cat "$work/pid")/task/"*/children 2>/dev/null | tr -d ' '; }
before=$(children)
/usr/sbin/apache2 -f "$work/httpd.conf" -k graceful
# Until the old child has made way for another one.
turns=0
while [ "$(children)" = "$before" ] || [ -z "$(children)" ]; do
    turns=$((turns + 1))
    [ "$turns" -le 300 ] || { echo "no new child after a graceful restart" >&2; cat "$work/logs/error.log" >&2; exit 1; }
    sleep 0.1
done
python3 "$work/ask.py" "$port" "after a graceful restart" || { cat "$work/logs/error.log" >&2; exit 1; }
grep -q 'modpython-core: version .* active' "$work/logs/error.log" || { echo "the library was not active" >&2; exit 1; }
! grep -E 'exit signal|Fatal Python' "$work/logs/error.log" >&2

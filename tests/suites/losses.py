"""Counts what the clients of a page lose while packages come and go: usage: losses.py FOLDER-OF-DEBS [ROUNDS]

As root, on a system that is for nothing else: a debootstrap folder with apache2 and libapache2-mod-python. Each round goes
through the same steps twice: with the packages of this project, and with stock's alone, where a module of Debian's own is
what is installed and removed. Debian's restarts stop the server, so that stock loses too; ours may not lose more.

A request is lost if it is refused, cut off, answered late or by anything but the page. A connection that the server closes
between two requests of a client is no loss, as HTTP has the client ask again; the second answer counts.
"""
import collections
import http.client
import itertools
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
CLIENTS = 8
PACE = 0.02     # Seconds from one request of a client to its next.
LIMIT = 120     # Seconds until a step must have come to its end.
ANSWERS = 10    # Of each client, after a step, until the next one.
# In place of ours, a module that Debian installs, enables, upgrades and removes by its own tools.
OTHER = "libapache2-mod-xsendfile"
OURS = ["libapache2-mod-python-core", "modpython-relink", "libmodpython-core0-py*"]

PAGE = """import os
from mod_python import apache
def served_by():
    with open("/proc/self/maps") as maps:
        files = {line.split(None, 5)[5].strip() for line in maps if "mod_python.so" in line or "libmodpython-core" in line}
    if any(file.endswith("(deleted)") for file in files):
        return "an-older-file"
    return "ours" if "/var/lib/modpython-core/mod_python.so" in files else "stock"
def handler(req):
    req.write("%s %d %s" % (req.args, os.getpid(), served_by()))
    return apache.OK
"""
SITE = """ServerName 127.0.0.1
<Location /page>
    SetHandler mod_python
    PythonPath "sys.path + ['/srv/losses']"
    PythonHandler counted_page
</Location>
"""
# A restart refuses, and cuts off what is under way. The others no restart excuses, but a race of stock's own core does.
WRONG = ("late", "status", "content")
LOST = ("refused", "cut") + WRONG


class Client(threading.Thread):
    """Asks for the page again and again, on one connection or on a new one for each request."""

    numbers = itertools.count()

    def __init__(self, port, keep_alive):
        super().__init__(daemon=True)
        self.port, self.keep_alive = port, keep_alive
        self.connection = None
        self.ended = False
        self.lock = threading.Lock()
        self.begin()

    def begin(self):
        """A new step."""
        with self.lock:
            self.counts = collections.Counter()
            self.losing = False
            self.answers = []

    def run(self):
        due = time.monotonic()
        while not self.ended:
            asked = time.monotonic()
            outcome, answer = self.ask()
            with self.lock:
                self.counts[outcome] += 1
                if outcome == "answered":
                    self.answers.append((asked, answer))
                elif not self.losing:
                    self.counts["outages"] += 1
                self.losing = outcome != "answered"
            # A client that has waited does not catch up.
            due = max(due + PACE, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))

    def ask(self):
        number = "n%d" % next(self.numbers)
        outcome, answer = self.ask_once(number)
        if outcome == "closed":
            with self.lock:
                self.counts["again"] += 1
            outcome, answer = self.ask_once(number)
        if outcome != "answered" or not self.keep_alive:
            self.close()
        return outcome, answer

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask_once(self, number):
        used = self.connection is not None
        if not used:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        begun = False
        try:
            self.connection.request("GET", "/page?" + number)
            response = self.connection.getresponse()
            begun = True
            text = response.read().decode("latin-1")
        except ConnectionRefusedError:
            self.close()
            return "refused", None
        except socket.timeout:
            self.close()
            return "late", None
        except (OSError, http.client.HTTPException):
            self.close()
            return ("closed" if used and not begun else "cut"), None
        if response.will_close:
            self.close()
        words = text.split()
        if response.status != 200:
            return "status", None
        if len(words) != 3 or words[0] != number:
            return "content", None
        return "answered", (words[1], words[2])


class Site:
    """The server and its clients."""

    def __init__(self, log):
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        pathlib.Path("/srv/losses").mkdir(parents=True, exist_ok=True)
        pathlib.Path("/srv/losses/counted_page.py").write_text(PAGE)
        pathlib.Path("/etc/apache2/ports.conf").write_text("Listen 127.0.0.1:%d\n" % port)
        for file in pathlib.Path("/etc/apache2/conf-enabled").glob("served.conf"):
            file.unlink()
        pathlib.Path("/etc/apache2/conf-enabled/losses.conf").write_text(SITE)
        # A folder has no init, for which reason invoke-rc.d would do nothing; the policy of this one is that it may.
        policy = pathlib.Path("/usr/sbin/policy-rc.d")
        policy.write_text("#!/bin/sh\nexit 0\n")
        policy.chmod(0o755)
        self.clients = [Client(port, keep_alive=bool(number % 2)) for number in range(CLIENTS)]

    def run(self, command):
        # Not by a pipe: the server that is started would hold its end.
        subprocess.run(command, shell=True, check=True, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                       env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))

    def start(self):
        self.run("invoke-rc.d apache2 start")
        for client in self.clients:
            client.start()
        self.settle(time.monotonic(), set(), "stock")

    def stop(self):
        for client in self.clients:
            client.ended = True
        self.run("invoke-rc.d apache2 stop")

    def settle(self, since, old, served_by):
        """Each client's newest answers, of what it has asked after `since`, come from the module and no old child."""
        end = time.monotonic() + LIMIT
        while True:
            newest = []
            for client in self.clients:
                with client.lock:
                    newest.append([answer for asked, answer in client.answers if asked > since][-ANSWERS:])
            if all(len(some) == ANSWERS and all(pid not in old and by == served_by for pid, by in some) for some in newest):
                return
            if time.monotonic() > end or not all(client.is_alive() for client in self.clients):
                raise SystemExit("after %d s not all are served by %s: %s" % (LIMIT, served_by, newest))
            time.sleep(0.05)

    def step(self, command, served_by, restarts):
        """Runs a step and counts its outcomes."""
        old = set()
        for client in self.clients:
            with client.lock:
                old.update(pid for _, (pid, _) in client.answers)
        for client in self.clients:
            client.begin()
        self.run(command)
        self.settle(time.monotonic(), old if restarts else set(), served_by)
        counts = collections.Counter()
        for client in self.clients:
            with client.lock:
                counts.update(client.counts)
        return counts


def steps(debs, upgrades, ours):
    """Name, command, the module that serves afterwards, and whether the server is restarted."""
    if ours:
        packages = " ".join(str(deb) for name in OURS for deb in debs.glob(name.replace("*", "?.*[0-9]") + "_*.deb"))
        names, by = " ".join("'%s'" % name for name in OURS), "ours"
        switch = " && a2enmod -q modpython_core && invoke-rc.d apache2 restart"
    else:
        packages, names, by, switch = str(next(pathlib.Path("/var/tmp").glob(OTHER + "_*.deb"))), OTHER, "stock", ""
    install = "apt-get install -q -y --no-install-recommends %s" % packages
    yield "install", install + switch, by, True
    yield "reinstall", "dpkg -i %s" % packages, by, True
    yield "upgrade", "dpkg -i %s" % next(upgrades), by, True
    yield "graceful", "invoke-rc.d apache2 reload", by, True
    yield "remove", "apt-get remove -q -y %s" % names.split()[0], "stock", True
    yield "purge", "apt-get purge -q -y %s" % names, "stock", False


def main():
    debs, rounds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    log = open("/var/tmp/losses.log", "w")
    site = Site(log)
    site.run("cd /var/tmp && apt-get download -q %s" % OTHER)
    site.run("sh %s/repack.sh /var/tmp/upgrades %d" % (HERE, 2 * rounds))
    upgrades = iter("/var/tmp/upgrades/%d.deb" % number for number in range(1, 2 * rounds + 1))
    lost = collections.defaultdict(collections.Counter)
    site.start()
    try:
        for number in range(rounds):
            for ours in (number % 2 == 0, number % 2 == 1):
                for name, *what in steps(debs, upgrades, ours):
                    print("%s, %s" % (name, "ours" if ours else "stock"), file=log, flush=True)
                    counts = site.step(*what)
                    print(dict(counts), file=log, flush=True)
                    lost[name, ours].update(counts)
    finally:
        site.stop()
        os.unlink("/usr/sbin/policy-rc.d")
    # Nothing is restarted by it. In Debian 11 stock's children crash all the time, so that clients lose in it as well.
    crashes = lost["purge", False]["outages"] > 0
    if not all([judge(name, lost[name, True], lost[name, False], rounds, crashes) for name, ours in lost if ours]):
        raise SystemExit("more is lost than stock loses")


def judge(name, ours, stock, rounds, crashes):
    """Prints one step's figures; true if ours has lost nothing that stock would not."""
    total = {id(counts): sum(counts[outcome] for outcome in LOST) for counts in (ours, stock)}

    def figures(counts):
        kinds = ", ".join("%d %s" % (counts[outcome], outcome) for outcome in LOST if counts[outcome])
        return "%d of %d lost%s in %d outages of a client, %d asked again" % (
            total[id(counts)], counts["answered"] + total[id(counts)], kinds and " (%s)" % kinds, counts["outages"], counts["again"])

    print("losses: %s: ours %s; stock %s" % (name, figures(ours), figures(stock)))
    # Debian's init script looks once a second whether the server has gone, so that equal restarts differ by a second.
    second = stock["outages"] / PACE
    # The children do not end at once, and one that still answers between two losses makes two outages of one. A second
    # restart is one more of each client in each round.
    twice = ours["outages"] >= stock["outages"] + CLIENTS * rounds // 2
    # Before and after these stock answers, with its races.
    if name in ("install", "remove", "purge"):
        twice = twice and not crashes
        wrong = False
    else:
        wrong = any(ours[outcome] for outcome in WRONG)
    return not wrong and not twice and total[id(ours)] <= total[id(stock)] + second


main()

"""Functions in Python for the server's signals, in its parent; and each later start of Python there waits for the test."""

import os
import signal
import time

import notes

_first = "MODPYTHON_LIVE_SIGNALLED"


def _nothing(number, frame):
    pass


if _first not in os.environ:
    os.environ[_first] = str(os.getpid())
    for _number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(_number, _nothing)
elif os.environ[_first] == str(os.getpid()):
    notes.write("waits")
    _end = time.time() + 10
    while not notes.flag("go-on") and time.time() < _end:
        time.sleep(0.01)

"""A function in Python, in the server's parent, for a signal that httpd does not use: it ends its process."""

import os
import signal
import sys

_first = "MODPYTHON_LIVE_EXITS"


def _exit(number, frame):
    sys.exit(0)


if _first not in os.environ:
    os.environ[_first] = str(os.getpid())
    signal.signal(signal.SIGUSR2, _exit)

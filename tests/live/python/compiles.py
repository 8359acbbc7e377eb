"""Notes of each compilation of the shim whether the server had set its function for SIGUSR1 before.

Python has set the default, as a program may that is going to start others.
"""

import signal
import sys

import notes

signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def _is_caught():
    with open("/proc/self/status") as status:
        caught = [line for line in status if line.startswith("SigCgt")][0]
    return int(caught.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1


def _heard(event, arguments):
    if event == "compile" and arguments[1] == "modpython_core/__init__.py":
        notes.write("compiles-in-time" if _is_caught() else "compiles-early")


sys.addaudithook(_heard)

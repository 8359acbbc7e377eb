"""A thread that, from two seconds on, never gives Python's lock up, in the server's parent alone."""

import ctypes
import time

import notes
import parentthread


def _hog():
    time.sleep(2)
    notes.write("hogs")
    ctypes.PyDLL(None).sleep(3600)


parentthread.start("MODPYTHON_LIVE_HOGS", _hog)

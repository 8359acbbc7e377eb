"""A thread that, from two seconds on, never gives Python's lock up, in the server's parent alone."""

import ctypes
import os
import threading
import time

import notes


def _hog():
    time.sleep(2)
    notes.write("hogs")
    ctypes.PyDLL(None).sleep(3600)


if "MODPYTHON_LIVE_HOGS" not in os.environ:
    os.environ["MODPYTHON_LIVE_HOGS"] = str(os.getpid())
    _thread = threading.Thread(target=_hog)
    _thread.daemon = True
    _thread.start()

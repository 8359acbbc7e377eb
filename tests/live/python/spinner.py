"""A thread that runs all the time, in the server's parent alone."""

import os
import threading


def _spin():
    while True:
        pass


if "MODPYTHON_LIVE_SPINS" not in os.environ:
    os.environ["MODPYTHON_LIVE_SPINS"] = str(os.getpid())
    _thread = threading.Thread(target=_spin)
    _thread.daemon = True
    _thread.start()

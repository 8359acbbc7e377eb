"""A thread that runs all the time, in the server's parent alone."""

import parentthread


def _spin():
    while True:
        pass


parentthread.start("MODPYTHON_LIVE_SPINS", _spin)

"""The requests that run in the interpreter while a handler's module is to be run again.

The code of an application takes locks while it sets itself up: django.setup() configures logging, and takes the lock of
that package, then one of each handler. A request that runs holds the latter and wants the former when it mails an error.
Side by side both wait for ever, and all others for them. Stock 3.5 runs nothing again, so that a file could be touched
while a site is asked; so the code runs when the requests have ended that had begun before.
"""

from __future__ import absolute_import

import sys
import time

try:
    from threading import get_ident
except ImportError:
    from thread import get_ident  # Python 2

core = None

clock = getattr(time, 'monotonic', time.time)

# For how long it is waited at most: a download to a slow client must not keep an edit from being seen.
seconds = 2


def await_end(dispatcher):
    """Waits until no other thread runs a request. `dispatcher` is the namespace of the functions that call handlers."""
    end = clock() + seconds
    while clock() < end and _some_run(dispatcher):
        time.sleep(0.005)


def _some_run(dispatcher):
    me = get_ident()
    # Not one that waits for a load, and for this one perhaps.
    return any(thread != me and not core.waits(thread) and _runs(frame, dispatcher)
               for thread, frame in sys._current_frames().items())


def _runs(frame, dispatcher):
    if frame.f_globals.get('__package__') == __package__:
        return False  # It looks for what to load, or waits for a plain import.
    while frame is not None:
        if frame.f_globals is dispatcher:
            return True
        frame = frame.f_back
    return False

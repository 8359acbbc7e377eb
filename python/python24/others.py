# Written by write_python24.py out of modpython_core/others.py, whose comments say why: do not edit.
from modpython_core.python24 import any
import time
try:
    from threading import get_ident
except ImportError:
    from thread import get_ident
core = None
clock = getattr(time, 'monotonic', time.time)
seconds = 2

def await_end(dispatcher):
    end = clock() + seconds
    while clock() < end and _some_run(dispatcher):
        time.sleep(0.005)

def _some_run(dispatcher):
    me = get_ident()
    return any((thread != me and (not core.waits(thread)) and _runs(frame, dispatcher) for thread, frame in core.frames()))

def _runs(frame, dispatcher):
    if frame.f_globals.get('__package__') == __package__:
        return False
    while frame is not None:
        if frame.f_globals is dispatcher:
            return True
        frame = frame.f_back
    return False

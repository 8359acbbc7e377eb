"""An object in the server's parent that says so when it goes, as one with a connection does."""

import notes


class _Farewell(object):
    def __init__(self, say):
        self._say = say

    def __del__(self):
        self._say("goes")


_farewell = _Farewell(notes.write)
# Garbage, for whenever a collection runs.
_cycle = _Farewell(notes.write)
_cycle.itself = _cycle
del _cycle

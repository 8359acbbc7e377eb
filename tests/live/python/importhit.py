"""Measures import_module on a hit: what one call costs in a loop of many, and what there is to compare it with."""

import json
import os
from timeit import default_timer

from mod_python import apache

CALLS = 5000
NAME = "hello"


def cost(call):
    """Nanoseconds for one call, those of the loop and of the call of a Python function taken off."""
    taken = []
    for function in (lambda: None, call):
        begin = default_timer()
        for _ in range(CALLS):
            function()
        taken.append(default_timer() - begin)
    return (taken[1] - taken[0]) / CALLS * 1e9


def handler(req):
    # Looked up as a global of mod_python.apache, as its own dispatchers do.
    module = apache.import_module(NAME)

    def due():
        # The stock function looks at the file only if it has not done so for a second; this has it look each time.
        module.__mtime_check__ = 0
        apache.import_module(NAME, autoreload=1)

    file = module.__file__
    figures = {
        "hit": cost(lambda: apache.import_module(NAME, autoreload=1)),
        "due": cost(due),
        "unwatched": cost(lambda: apache.import_module(NAME, autoreload=0)),
        "stat": cost(lambda: os.stat(file)),
    }
    req.content_type = "application/json"
    req.write(json.dumps(figures))
    return apache.OK

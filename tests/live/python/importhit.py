"""Measures import_module on a hit: the time of many calls in one loop."""

import json
import time

from mod_python import apache

CALLS = 20000


def handler(req):
    # A global of mod_python.apache, looked up as its own dispatchers do; the empty loop is taken off.
    name = "hello"
    apache.import_module(name, autoreload=1)
    begin = time.perf_counter()
    for _ in range(CALLS):
        pass
    empty = time.perf_counter() - begin
    begin = time.perf_counter()
    for _ in range(CALLS):
        apache.import_module(name, autoreload=1)
    taken = time.perf_counter() - begin - empty
    req.content_type = "application/json"
    req.write(json.dumps({"nanoseconds": taken / CALLS * 1e9}))
    return apache.OK

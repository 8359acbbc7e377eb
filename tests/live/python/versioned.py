"""A handler that says which version of it answers, and whether that version has run to its end."""

import time

import loadnotes

VERSION = 0
load = loadnotes.Load(__file__, VERSION)
time.sleep(0.0)


def handler(req):
    # Once, at the beginning: a reload may put new globals under a request that is in flight.
    dispatched = time.time()
    version, finished = VERSION, FINISHED
    return loadnotes.answer(
        req, file=loadnotes.source(__file__), version=version, finished=finished, dispatched=dispatched, looked=time.time()
    )


FINISHED = VERSION
load.over()

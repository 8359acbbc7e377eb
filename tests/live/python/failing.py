"""A handler whose load waits for a flag, and then fails."""

import time

import loadnotes
import notes

load = loadnotes.Load(__file__)
deadline = time.monotonic() + 15
while not notes.flag("fail-now") and time.monotonic() < deadline:
    time.sleep(0.002)
load.failed()
raise RuntimeError("broken on purpose")

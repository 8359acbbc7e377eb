"""A handler whose load waits for a flag, and then fails."""

import time

import loadnotes
import notes

load = loadnotes.Load(__file__)
deadline = time.time() + 15
while not notes.flag("fail-now") and time.time() < deadline:
    time.sleep(0.002)
load.failed()
raise RuntimeError("broken on purpose")

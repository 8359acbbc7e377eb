"""Notes of loads, for handlers: when the code of a module begins to run, and when it ends."""

import json
import os

import notes
from mod_python import apache


def source(file):
    """Python 2 may name the bytecode."""
    return file[:-1] if file.endswith((".pyc", ".pyo")) else file


class Load(object):
    """One run of a module's code. Made by its first lines; its last ones say how it ended."""

    def __init__(self, file, version=0):
        # Tells two runs of one file apart that run beside each other.
        self.fields = {"file": source(file), "version": version, "run": notes.random_name(4)}
        notes.write("load", **self.fields)

    def over(self):
        notes.write("loaded", **self.fields)

    def failed(self):
        notes.write("failed", **self.fields)


def answer(req, **fields):
    """Answers with these fields, and with who answers."""
    fields.update(pid=os.getpid(), interpreter=apache.interpreter, token=notes.token)
    req.content_type = "application/json"
    req.write(json.dumps(fields))
    return apache.OK

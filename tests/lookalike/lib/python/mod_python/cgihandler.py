"""Runs CGI scripts in Python as modules, one at a time. As in all releases it first deletes every module from
sys.modules that has come after this one, and does that outside its lock."""

import os
import sys
import threading

from mod_python import apache

_lock = threading.Lock()

original = list(sys.modules)

library = os.path.dirname(os.__file__)


class Output(object):
    """Sends a script's output to the client, without its headers."""

    def __init__(self, req):
        self.req = req
        self.body = False

    def write(self, text):
        if not self.body:
            text = text.partition("\n\n")[2]
            self.body = True
        self.req.write(text)

    def flush(self):
        pass


def handler(req):
    for name in list(sys.modules):
        if name not in original:
            module = sys.modules[name]
            if hasattr(module, "__file__") and os.path.dirname(module.__file__) != library:
                del sys.modules[name]

    directory, file = os.path.split(req.filename)
    _lock.acquire()
    try:
        before, output = os.getcwd(), sys.stdout
        os.chdir(directory)
        sys.stdout = Output(req)
        try:
            apache.load(os.path.splitext(file)[0], [directory])
            return apache.OK
        finally:
            sys.stdout = output
            os.chdir(before)
    finally:
        _lock.release()

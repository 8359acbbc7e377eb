"""Runs when an interpreter starts, and sees to it that calls of mod_python.apache.init leave a note.

No file of the distribution's package is changed: an import hook wraps the function once its module is loaded.
"""

import importlib.machinery
import os
import sys
import time

import notes

APACHE = "mod_python.apache"


class _Finder:
    def find_spec(self, name, path=None, target=None):
        if name != APACHE:
            return None
        if notes.flag("break-package"):
            raise ImportError(name + " is broken for the sake of a test")
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                _wrap(module)

            spec.loader.exec_module = exec_module
        return spec


def _wrap(module):
    init = module.init

    def noted(name, server):
        notes.write("init", interpreter=name)
        if notes.take_flag("slow-init-" + name):
            time.sleep(1)
        # Nobody is to be answered before this returns, so no request finds these modules half loaded.
        for handler in os.environ.get("MODPYTHON_LIVE_PRELOAD", "").split():
            __import__(handler)
        return init(name, server)

    module.init = noted


notes.write("start")
if "MODPYTHON_LIVE_EXTENSION" in os.environ:
    __import__(os.environ["MODPYTHON_LIVE_EXTENSION"])
sys.meta_path.insert(0, _Finder())
if notes.take_flag("slow-start"):
    notes.write("slow-start")
    time.sleep(1)

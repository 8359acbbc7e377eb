"""Runs when an interpreter starts, and sees to it that calls of mod_python.apache.init leave a note.

No file of the package is changed: an import hook wraps the function once its module is loaded.
"""

import os
import sys
import time

import notes

APACHE = "mod_python.apache"

if sys.version_info[0] >= 3:
    import importlib.machinery
else:
    import imp


class _Finder(object):
    """Each Python asks for what it knows: 2 for find_module, 3 for find_spec."""

    def find_spec(self, name, path=None, target=None):
        if name != APACHE:
            return None
        _break()
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                _wrap(module)

            spec.loader.exec_module = exec_module
        return spec

    if sys.version_info[0] < 3:

        def find_module(self, name, path=None):
            if name != APACHE:
                return None
            _break()
            self.path = path
            return self

        def load_module(self, name):
            file, file_name, description = imp.find_module(name.rpartition(".")[2], self.path)
            try:
                module = imp.load_module(name, file, file_name, description)
            finally:
                file.close()
            _wrap(module)
            return module


def _break():
    if notes.flag("break-package"):
        raise ImportError(APACHE + " is broken for the sake of a test")


def _wrap(module):
    init = module.init

    def noted(*arguments):
        # 3.1.x does not say for whom.
        notes.write("init", interpreter=arguments[0] if arguments else "")
        if not arguments:
            _note_name(module.CallBack)
        if notes.take_flag("slow-init"):
            time.sleep(2)
        # Nobody is to be answered before this returns, so no request finds these modules half loaded.
        for handler in os.environ.get("MODPYTHON_LIVE_PRELOAD", "").split():
            __import__(handler)
        return init(*arguments)

    module.init = noted


def _note_name(callback):
    """Has the first request say which interpreter this is."""
    dispatch, named = callback.HandlerDispatch, []

    def noted(self, req):
        if not named:
            named.append(True)
            notes.write("name", interpreter=req.interpreter)
        return dispatch(self, req)

    callback.HandlerDispatch = noted


notes.write("start")
if "MODPYTHON_LIVE_EXTENSION" in os.environ:
    __import__(os.environ["MODPYTHON_LIVE_EXTENSION"])
sys.meta_path.insert(0, _Finder())
if notes.take_flag("slow-start"):
    notes.write("slow-start")
    time.sleep(2)

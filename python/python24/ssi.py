# Written by write_python24.py out of modpython_core/ssi.py, whose comments say why: do not edit.
from modpython_core.remedies import cures

class _Filter(object):

    def __init__(self, filter):
        self._filter = filter

    def __getattr__(self, name):
        return getattr(self._filter, name)

    def disable(self):
        pass

def mend(apache):
    callback = getattr(apache, 'CallBack', None)
    stock = getattr(callback, 'IncludeDispatch', None)
    if not cures('ssi') or stock is None or getattr(stock, 'modpython_core', False):
        return

    def IncludeDispatch(self, fltr, tag, code):
        return stock(self, _Filter(fltr), tag, code)
    IncludeDispatch.modpython_core = True
    callback.IncludeDispatch = IncludeDispatch

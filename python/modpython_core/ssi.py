"""Mends `<!--#python ... -->` whose code fails: mod_python disables the filter, by a flag in what it takes for its own
data, and this filter is mod_include's. The flag goes into the middle of a pointer, and the child crashes.
"""

from __future__ import absolute_import

from modpython_core.remedies import cures


class _Filter(object):
    """The filter as mod_python's dispatcher and the page's code see it."""

    def __init__(self, filter):
        self._filter = filter

    def __getattr__(self, name):
        return getattr(self._filter, name)

    def disable(self):
        """It is left to mod_include."""


def mend(apache):
    callback = getattr(apache, 'CallBack', None)
    stock = getattr(callback, 'IncludeDispatch', None)
    if not cures('ssi') or stock is None or getattr(stock, 'modpython_core', False):
        return

    def IncludeDispatch(self, fltr, tag, code):
        return stock(self, _Filter(fltr), tag, code)

    IncludeDispatch.modpython_core = True
    callback.IncludeDispatch = IncludeDispatch

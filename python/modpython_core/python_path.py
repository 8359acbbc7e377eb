"""Mends PythonPath up to 3.2, where an expression is evaluated whenever it is another one than the time before, on top of
what that one has left in sys.path: two sections with `sys.path + [...]` in one interpreter make sys.path longer with
nearly every request, and each search of it slower, for as long as the process lives (MODPYTHON-114).
"""

from __future__ import absolute_import

import sys

from modpython_core.remedies import cures

_TEXTS = str, type(u'')


def _evaluated(expression, *scopes):
    """What takes the place of eval() in mod_python.apache, which calls it for PythonPath alone."""
    caller = sys._getframe(1)
    value = eval(expression, *(scopes or (caller.f_globals, caller.f_locals)))
    return _once_each(value) if type(value) is list else value


def _once_each(entries):
    """The first of equal entries is where an import finds its module: the others are never needed."""
    seen, kept = set(), []
    for entry in entries:
        if not isinstance(entry, _TEXTS) or entry not in seen:
            kept.append(entry)
        if isinstance(entry, _TEXTS):
            seen.add(entry)
    return kept


def mend(apache):
    """Up to 3.2 the last expression is in `_path`; later releases evaluate each once."""
    if cures('python-path') and hasattr(apache, '_path') and 'eval' not in vars(apache):
        apache.eval = _evaluated

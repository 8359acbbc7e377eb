"""Mends PythonPath up to 3.2, where an expression is evaluated whenever it is another one than the time before, on top of
what that one has left in sys.path (MODPYTHON-114).

Two sections with `sys.path + [...]` in one interpreter make sys.path longer with nearly every request, and each search of it
slower, for as long as the process lives. And where two threads do so at once, the list of the one that is later is without
the entries of the other, whose pages then do not find what they import.
"""

from __future__ import absolute_import

import sys

from modpython_core import finding, search
from modpython_core.remedies import cures

_TEXTS = str, type(u'')

core = None

# The entries of all expressions that add to sys.path, and of those that dispatchers have put there meanwhile.
_added = []


def _evaluated(expression, *scopes):
    """Takes the place of eval() in mod_python.apache, which calls it for PythonPath alone, and puts the list that it
    gets into sys.path if that is another."""
    caller = sys._getframe(1)
    before = list(sys.path)
    value = eval(expression, *(scopes or (caller.f_globals, caller.f_locals)))
    if type(value) is not list:
        return value
    entries = _once_each(value)
    if not _adds(entries):
        return entries
    # Done here: mod_python would do it later, and undo what others have done meanwhile. Each thread first says what it
    # adds, then sets sys.path, and then looks for what others have added: so the last one leaves all of it.
    _note(entries)
    # A dispatcher may have put a handler's directory there since the expression looked.
    _note([entry for entry in core.exchange(sys.path, entries) if entry not in before])
    _complete()
    return sys.path


def _adds(entries):
    """Whether they are more than the server's own path: others replace it, and what is not in them is not to be found."""
    return all(entry in entries for entry in finding.original_path)


def _note(entries):
    _added.extend([entry for entry in entries if entry not in _added])


def _complete():
    there = list(sys.path)
    sys.path.extend([entry for entry in list(_added) if entry not in there])


def _once_each(entries):
    """The first of equal entries is where an import finds its module: the others are never needed."""
    seen, kept = set(), []
    for entry in entries:
        if not isinstance(entry, _TEXTS) or entry not in seen:
            kept.append(entry)
        if isinstance(entry, _TEXTS):
            seen.add(entry)
    return kept


def _found_in(entries):
    """A page is about to be loaded from these entries of an expression; the thread that has evaluated that one may not have
    come to put them into sys.path yet."""
    if _adds(entries):
        _note(entries)
        _complete()


def mend(apache):
    """Up to 3.2 the last expression is in `_path`; later releases evaluate each once."""
    if cures('python-path') and hasattr(apache, '_path') and 'eval' not in vars(apache):
        apache.eval = _evaluated
        search.evaluated = _found_in

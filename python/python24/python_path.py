# Written by write_python24.py out of modpython_core/python_path.py, whose comments say why: do not edit.
from modpython_core.python24 import all
import sys
from modpython_core import finding, search
from modpython_core.remedies import cures
_TEXTS = (str, type(u''))
core = None
_added = []

def _evaluated(expression, *scopes):
    caller = sys._getframe(1)
    before = list(sys.path)
    value = eval(expression, *(scopes or (caller.f_globals, caller.f_locals)))
    if type(value) is not list:
        return value
    entries = _once_each(value)
    if not _adds(entries):
        return entries
    _note(entries)
    _note([entry for entry in core.exchange(sys.path, entries) if entry not in before])
    _complete()
    return sys.path

def _adds(entries):
    return all((entry in entries for entry in finding.original_path))

def _note(entries):
    _added.extend([entry for entry in entries if entry not in _added])

def _complete():
    there = list(sys.path)
    sys.path.extend([entry for entry in list(_added) if entry not in there])

def _once_each(entries):
    seen, kept = (set(), [])
    for entry in entries:
        if not isinstance(entry, _TEXTS) or entry not in seen:
            kept.append(entry)
        if isinstance(entry, _TEXTS):
            seen.add(entry)
    return kept

def _found_in(entries):
    if _adds(entries):
        _note(entries)
        _complete()

def mend(apache):
    if cures('python-path') and hasattr(apache, '_path') and ('eval' not in vars(apache)):
        apache.eval = _evaluated
        search.evaluated = _found_in

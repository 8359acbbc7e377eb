"""Puts our import_module in the place of the stock one."""

from __future__ import absolute_import

import sys

from modpython_core import attributes, cgihandler, compat, finding, first_use, importer33, loading, names, others
from modpython_core import pickles, private, python_path, queries, running, search, sessions, siblings, ssi
from modpython_core import wsgi as mended_wsgi
from modpython_core.remedies import cures

_prepared = []
_stock = []


def install(apache, core):
    """Last of all the name is replaced: whatever fails before leaves the stock function where it is."""
    loading.apache = apache
    loading.core = others.core = compat.core = running.core = names.core = search.core = siblings.core = private.core = core
    python_path.core = pickles.core = core
    private.load = siblings.load = loading.load
    loading.seconds_alone = core.seconds_alone()
    if not _prepared:
        compat.check()
        first_use.prepare()
    if not finding.original_path:
        finding.original_path[:] = sys.path
    search.expression_names = apache.__dict__
    looks_seldom, search.goes_on_elsewhere = _ways_of_stock(apache)
    loading.stock_reloads = siblings.stock_reloads = not search.goes_on_elsewhere
    core.setup(loading.load, compat.import_lock_edges, apache.__dict__, _wsgi_names(apache), looks_seldom,
               loading.stock_reloads)
    if not _prepared:
        compat.watch_forks()
        compat.tolerate_deadlocks()
        running.note_imports()
        compat.find_private_names(private.Finder())
        if hasattr(finding, 'LookedFor'):
            finding.before_path_finder(finding.LookedFor())
        _prepared.append(True)
    python_path.mend(apache)
    queries.mend(apache)
    sessions.mend_when_imported()
    ssi.mend(apache)
    apache.import_module = core.import_module


def guard_importer(core):
    """For mod_python 3.3, once its init() has brought the importer that imports modules there."""
    cgihandler.mend_when_imported()
    if cures('importer'):
        loading.apache = sys.modules['mod_python.apache']
        importer33.guard(sys.modules['mod_python.importer'], core)


def _ways_of_stock(apache):
    """Whether the stock function looks at a file once a second, and whether it finds modules by importlib.

    Once a second: then one look for a tick of the coarse clock, some milliseconds, is more than anybody counts on. That of
    3.1 looks at each call. By importlib, as the later releases of 3.5 do: then `path=` does not say where to find anything,
    and nothing is run again. Up to 3.3, and in 3.5.0 as it first was, a module is found in `path` alone.
    """
    code = attributes.code(getattr(apache, 'import_module', None))
    if code is not None:
        # Otherwise it is ours already.
        _stock[:] = ['__mtime_check__' in code.co_consts, 'importlib' in code.co_names]
    return _stock or [False, False]


def _wsgi_names(apache):
    """The global names of mod_python.wsgi, whose handler imports an application without saying from where.

    Imported here and now, for it must be known before its first call.
    """
    try:
        from mod_python import wsgi
        mended_wsgi.mend(wsgi)
        return wsgi.__dict__
    except Exception:
        # Not there, or not to be imported: its handler will not call import_module either.
        return apache.__dict__

"""The load of one file under its lock, if a call of import_module is no hit.

Around the run of a module's code the extension module takes locks, marks files and enters modules, in steps that undo
it themselves ('locked', 'run', and 'importing' for Python 3): an exception can come between any two bytecodes.

The extension module drives the generators here (src/import_module/steps.rs): a generator yields a call and gets its
result; last it yields its own. It is off the stack meanwhile.
"""

from __future__ import absolute_import

import sys
from functools import partial

from modpython_core import cgihandler, compat, names, others, private, running, search, siblings, wsgi
from modpython_core.failures import Failure, printable

core = None
apache = None

# Whether the stock core runs a changed module again: that of 3.5 with importlib does not.
stock_reloads = True

# For how long the first request of a handler's module runs alone; 0: it does not.
seconds_alone = 0


# How often a call looks again for what has changed meanwhile; more would be a bug of ours, which is not to take a
# processor for ever.
_MOST_LOOKS = 1000


class Request(object):
    """One call of import_module."""

    def __init__(self, name, log, path, origin, dispatched):
        self.name = name
        self.log = log
        self.path = path
        self.origin = origin
        self.dispatched = dispatched

    def hit(self, name, autoreload):
        return core.hit(self.origin, name, autoreload)

    def question(self, name):
        """The key that calls for that name at the same origin share; None if the origin is not of plain text."""
        kind, where = self.origin
        entries = where if kind == search.PATH else (where,)
        for entry in entries:
            if entry is not None and type(entry) is not str:
                return None
        return repr((kind, entries, name)).encode('utf-8', 'replace')

    def notice(self, name):
        if not self.log:
            return
        text = "mod_python: (Re)importing module '%s'" % name
        # An iterator has been read by now, and never shows what it gives; one of Python 2.4 is then false.
        is_iterator = hasattr(self.path, '__next__') or hasattr(self.path, 'next')
        if is_iterator or self.path:
            text = "%s with path set to '%s'" % (text, list(self.origin.where) if is_iterator else self.path)
        log_line(text, apache.APLOG_NOTICE)


def load(name, autoreload, log, path, origin, dispatched=False):
    """import_module calls it when the module is not at hand, or not fresh."""
    name = compat.native(name)
    origin = search.Origin(origin)
    parts = name.split('.')
    if '' in parts:
        raise compat.not_found(name)
    if origin.kind == search.PAGE:
        origin = siblings.origin(parts[0], origin.where)
    request = Request(name, log, path, origin, dispatched)
    left = siblings.left_part(name, origin) if len(parts) > 1 else None
    if left is not None:
        yield None, left
        return
    parent = None
    for depth in range(1, len(parts)):
        # The packages on the way need to be there, and are not looked at for changes.
        parent = yield _one(request, '.'.join(parts[:depth]), parent, False)
    yield _one(request, name, parent, autoreload)


def _one(request, name, parent, autoreload):
    question = request.question(name)
    for _ in range(_MOST_LOOKS):
        # Not a load that asks for it: the first request may need what that load has begun.
        if seconds_alone and request.dispatched:
            core.await_first(request.origin, name, seconds_alone)
        module = request.hit(name, autoreload)
        if module is not None:
            yield None, module
            return
        module = yield 'ask', question, partial(_look, request, name, parent, autoreload)
        if type(module) is Failure:
            # A call that does not ask for a reload is content with what was there before it failed.
            failure, module = module, None if autoreload else _kept(module.found)
            if module is None and (autoreload or not core.is_running(failure.found.key)):
                raise failure.another()
        if module is not None:
            yield None, module
            return
        # The load that this thread waited for has gone well, or the next attempt has begun. Look again: the file may be
        # another by now. Without the question: threads that ask for a missing name look side by side.
        question = None
    raise ImportError("modpython-core: module '%s' was another each of %d times that it was looked for"
                      % (name, _MOST_LOOKS))


def _look(request, name, parent, autoreload):
    """The module; None or a Failure from another's attempt that this thread has waited on."""
    try:
        found = search.locate(name, request.origin, parent)
    except ImportError:
        module = _as_before(request, name, sys.exc_info()[1])
        if module is None:
            raise
        yield None, module
        return
    if isinstance(found, search.Present):
        yield None, found.module
        return
    if isinstance(found, search.WithoutFile):
        yield compat.import_without_file(found.name, found.spec)
        return
    module = compat.module_this_thread_is_importing(found)
    if module is None:
        attempt = Attempt(request, name, found, autoreload)
        module = yield 'locked', found.key, found.real_key, attempt.decide, attempt.failed
    if parent is not None and module is not None and type(module) is not Failure:
        setattr(parent, name.rpartition('.')[2], module)
    yield None, module


def _kept(found):
    """The module that was there before an attempt that has failed."""
    verdict, served = core.verdict(found.key, False)[:2]
    return served if verdict == 'hit' else None


def _as_before(request, name, error):
    """The module that the name gave before its file could no longer be read or found; None if it gave none."""
    known = core.refuse(request.origin, name, None)
    if known is None:
        for file in search.files(name, request.origin):
            # Asked for by another way before.
            if core.verdict(file, False)[0] == 'hit':
                core.link(request.origin, name, file)
                known = core.refuse(request.origin, name, None)
                break
    if known is None:
        return None
    module, news = known
    if news:
        log_line("MPC0025: mod_python: module '%s' stays as it was, its new version cannot be read: %s"
                 % (name, printable(error)), apache.APLOG_ERR)
    return module


class Attempt(object):
    """One file that a call has to load, reload or take over, once it has the lock of it."""

    def __init__(self, request, name, found, autoreload):
        self.request = request
        self.name = name
        self.found = found
        self.autoreload = autoreload

    def failed(self, error):
        """Writes the line in the log, and gives the Failure for the threads that waited."""
        failure = Failure(self.name, self.found, error)
        log_line(failure.line(), apache.APLOG_ERR)
        return failure

    def decide(self, nested):
        """Hit, load or reload, decided again now that nobody else can load the file (I6)."""
        if nested:
            # This thread is itself running the file, or the one that runs it waits for this thread: the half-made
            # module must do, as with an import. If there is none yet, then nobody runs the file: its owner waits before
            # that, and will look again before it does anything.
            module = self.half_made()
            if module is not None:
                return module
        request, found = self.request, self.found
        verdict, served, sys_name, ran = core.verdict(found.key, self.autoreload)
        if verdict == 'hit':
            core.link(request.origin, self.name, found.key)
            return served
        gave = core.name_of(found.key)
        # Not of a part: whether that is its package's own is decided where it is looked for.
        if gave is not None and '.' not in gave and not core.is_running(found.key):
            if siblings.is_replaced(gave, found.key):
                return self.replacement(gave)
        if verdict == 'reload' and request.dispatched:
            others.await_end(apache.__dict__)
        return self.load(verdict == 'reload', sys_name, served, ran)

    def load(self, again, sys_name, served, ran):
        if again:
            module = yield compat.under_import_lock(sys_name, lambda _: self.again(sys_name, served, ran))
            if module is not None:
                yield None, module
                return
        found = self.found
        # None if another file's module has come first: its file is looked for again, and gets another name.
        sys_name = names.claim(found)
        if found.is_package and sys_name != found.name:
            private.mend_extend_path()
        yield compat.under_import_lock(sys_name, lambda from_outside: self.first(sys_name, from_outside))

    def half_made(self):
        found = self.found
        module = core.running(found.key)
        if module is None:
            module = sys.modules.get(found.name)
            if module is not None and compat.file_of(module) != found.file:
                return None
        return module

    def again(self, sys_name, served, ran):
        """The file has changed. None if another module has come in the place of the one that it gave."""
        if sys.modules.get(sys_name) is not served:
            return None
        unreadable = running.unreadable(self.found)
        if unreadable is not None:
            core.link(self.request.origin, self.name, self.found.key)
            return _as_before(self.request, self.name, unreadable)
        version = core.version(self.found.key)
        if ran is served and compat.is_plain(served) and compat.file_of(served) == self.found.file:
            # The same module object, where applications keep their connections, say.
            run = self.run(sys_name, ran, served, True)
        else:
            # The module has put something else in its place (a facade, a lazy module), which knows nothing of its code.
            run = self.run(sys_name, running.new_module(self.found, sys_name), served, False)
        return run if stock_reloads or version is None else self.unless_it_fails(run, version)

    def unless_it_fails(self, run, version):
        try:
            module = yield run
        except Exception:
            module = self.stays(version, sys.exc_info()[1])
        yield None, module

    def stays(self, version, error):
        """That version of the file has failed, in a mod_python whose stock core reloads nothing, where the site would
        have gone on: so it does here, until the file is another."""
        request = self.request
        core.link(request.origin, self.name, self.found.key)
        known = core.refuse(request.origin, self.name, version)
        if known is None:
            raise
        self.failed(error)
        return known[0]

    def first(self, sys_name, from_outside):
        """The file has given no module that is still there. None to look again."""
        found = self.found
        current = sys.modules.get(sys_name)
        if current is not None and compat.file_of(current) != found.file and not found.replaces(current):
            # A plain import of another file has come first: it has the name. A private one it does not get.
            is_replaced = sys_name != found.name and siblings.is_replaced(sys_name, found.key)
            return self.replacement(sys_name) if is_replaced else None
        if current is None or found.replaces(current) or from_outside and self.is_wreck(current):
            names.make_room(found, sys_name)
            return self.run(sys_name, running.new_module(found, sys_name), current, False)
        if compat.is_initialising(current):
            # A plain import of this file, by this thread or by one that waits for it, is what we are inside of; in
            # Python 2 one may also have begun since we have waited for the end of those there were.
            return None if from_outside else current
        # A plain import has run the file; once is enough, unless it has changed since.
        version = running.version_at_import(found, current)
        if self.autoreload and version is not None and version != core.version(found.key):
            if running.unreadable(found) is None:
                if compat.is_plain(current):
                    return self.run(sys_name, current, current, True)
                return self.run(sys_name, running.new_module(found, sys_name), current, False)
        if found.directory:
            siblings.belongs(found, sys_name)
        self.mend(sys_name, current)
        self.adopt(sys_name, current, version or running.watched(found))
        return current

    def replacement(self, sys_name):
        """The object that code of the site has put into the place of the file's module."""
        current = sys.modules.get(sys_name)
        if current is None:
            raise compat.not_found(self.name)
        self.adopt(sys_name, current, running.watched(self.found))
        return current

    def adopt(self, sys_name, module, version):
        request = self.request
        core.adopt(request.origin, self.name, self.found.key, module, sys_name, version)

    def mend(self, sys_name, module):
        """Before anybody gets the module."""
        cgihandler.loaded(self.name, sys_name, module)
        if self.name == 'mod_python.wsgi':
            wsgi.mend(module)

    def is_wreck(self, module):
        """Whether a thread that the fork of this process has not copied has left the module half-made."""
        # The caller holds the lock of the file, and is not running it.
        return core.is_running(self.found.key) or compat.is_left_behind(module)

    def run(self, sys_name, module, previous, again):
        request, found = self.request, self.found
        request.notice(self.name)
        if found.directory:
            siblings.belongs(found, sys_name)
        private.forget(found, sys_name)

        def run(module):
            if again:
                running.complete(found, module, sys_name)
            version = yield running.run(found, module, again)
            self.mend(sys_name, module)
            yield None, version

        first = seconds_alone and request.dispatched and not again and core.running(found.key) is None
        served = yield 'run', request.origin, self.name, found.key, sys_name, module, previous, again, run
        if first and served is not None:
            core.run_alone(found.key)
        yield None, served


def log_line(text, level):
    try:
        apache.log_error(text, apache.APLOG_NOERRNO | level)
    except Exception:
        # A line that cannot be written must not turn into the failure of a load, nor hide the one it tells of.
        pass

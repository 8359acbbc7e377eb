# Written by write_python24.py out of modpython_core/loading.py, whose comments say why: do not edit.
from modpython_core.python24 import partial, rpartition
import sys
from modpython_core import cgihandler, compat, names, others, private, running, search, siblings, wsgi
from modpython_core.failures import Failure, printable
core = None
apache = None
stock_reloads = True
seconds_alone = 0
_MOST_LOOKS = 1000

class Request(object):

    def __init__(self, name, log, path, origin, dispatched):
        self.name = name
        self.log = log
        self.path = path
        self.origin = origin
        self.dispatched = dispatched

    def hit(self, name, autoreload):
        return core.hit(self.origin, name, autoreload)

    def question(self, name):
        kind, where = self.origin
        entries = (kind == search.PATH and [where] or [(where,)])[0]
        for entry in entries:
            if entry is not None and type(entry) is not str:
                return None
        return repr((kind, entries, name)).encode('utf-8', 'replace')

    def notice(self, name):
        if not self.log:
            return
        text = "mod_python: (Re)importing module '%s'" % name
        is_iterator = hasattr(self.path, '__next__') or hasattr(self.path, 'next')
        if is_iterator or self.path:
            text = "%s with path set to '%s'" % (text, (is_iterator and [list(self.origin.where)] or [self.path])[0])
        log_line(text, apache.APLOG_NOTICE)

def load(name, autoreload, log, path, origin, dispatched=False):
    name = compat.native(name)
    origin = search.Origin(origin)
    parts = name.split('.')
    if '' in parts:
        raise compat.not_found(name)
    if origin.kind == search.PAGE:
        origin = siblings.origin(parts[0], origin.where)
    request = Request(name, log, path, origin, dispatched)
    left = (len(parts) > 1 and [siblings.left_part(name, origin)] or [None])[0]
    if left is not None:
        yield (None, left)
        core.answer()
        return
    parent = None
    for depth in range(1, len(parts)):
        yield _one(request, '.'.join(parts[:depth]), parent, False)
        parent = core.answer()
    yield _one(request, name, parent, autoreload)
    core.answer()

def _one(request, name, parent, autoreload):
    question = request.question(name)
    for _ in range(_MOST_LOOKS):
        if seconds_alone and request.dispatched:
            core.await_first(request.origin, name, seconds_alone)
        module = request.hit(name, autoreload)
        if module is not None:
            yield (None, module)
            core.answer()
            return
        yield ('ask', question, partial(_look, request, name, parent, autoreload))
        module = core.answer()
        if type(module) is Failure:
            failure, module = (module, (autoreload and [None] or [_kept(module.found)])[0])
            if module is None and (autoreload or not core.is_running(failure.found.key)):
                raise failure.another()
        if module is not None:
            yield (None, module)
            core.answer()
            return
        question = None
    raise ImportError("modpython-core: module '%s' was another each of %d times that it was looked for" % (name, _MOST_LOOKS))

def _look(request, name, parent, autoreload):
    try:
        found = search.locate(name, request.origin, parent)
    except ImportError:
        module = _as_before(request, name, sys.exc_info()[1])
        if module is None:
            raise
        yield (None, module)
        core.answer()
        return
    if isinstance(found, search.Present):
        yield (None, found.module)
        core.answer()
        return
    if isinstance(found, search.WithoutFile):
        yield compat.import_without_file(found.name, found.spec)
        core.answer()
        return
    module = compat.module_this_thread_is_importing(found)
    if module is None:
        attempt = Attempt(request, name, found, autoreload)
        yield ('locked', found.key, found.real_key, attempt.decide, attempt.failed)
        module = core.answer()
    if parent is not None and module is not None and (type(module) is not Failure):
        setattr(parent, rpartition(name, '.')[2], module)
    yield (None, module)
    core.answer()

def _kept(found):
    verdict, served = core.verdict(found.key, False)[:2]
    return (verdict == 'hit' and [served] or [None])[0]

def _as_before(request, name, error):
    known = core.refuse(request.origin, name, None)
    if known is None:
        for file in search.files(name, request.origin):
            if core.verdict(file, False)[0] == 'hit':
                core.link(request.origin, name, file)
                known = core.refuse(request.origin, name, None)
                break
    if known is None:
        return None
    module, news = known
    if news:
        log_line("MPC0025: mod_python: module '%s' stays as it was, its new version cannot be read: %s" % (name, printable(error)), apache.APLOG_ERR)
    return module

class Attempt(object):

    def __init__(self, request, name, found, autoreload):
        self.request = request
        self.name = name
        self.found = found
        self.autoreload = autoreload

    def failed(self, error):
        failure = Failure(self.name, self.found, error)
        log_line(failure.line(), apache.APLOG_ERR)
        return failure

    def decide(self, nested):
        if nested:
            module = self.half_made()
            if module is not None:
                return module
        request, found = (self.request, self.found)
        verdict, served, sys_name, ran = core.verdict(found.key, self.autoreload)
        if verdict == 'hit':
            core.link(request.origin, self.name, found.key)
            return served
        gave = core.name_of(found.key)
        if gave is not None and '.' not in gave and (not core.is_running(found.key)):
            if siblings.is_replaced(gave, found.key):
                return self.replacement(gave)
        if verdict == 'reload' and request.dispatched:
            others.await_end(apache.__dict__)
        return self.load(verdict == 'reload', sys_name, served, ran)

    def load(self, again, sys_name, served, ran):
        if again:
            yield compat.under_import_lock(sys_name, lambda _: self.again(sys_name, served, ran))
            module = core.answer()
            if module is not None:
                yield (None, module)
                core.answer()
                return
        found = self.found
        sys_name = names.claim(found)
        if found.is_package and sys_name != found.name:
            private.mend_extend_path()
        yield compat.under_import_lock(sys_name, lambda from_outside: self.first(sys_name, from_outside))
        core.answer()

    def half_made(self):
        found = self.found
        module = core.running(found.key)
        if module is None:
            module = sys.modules.get(found.name)
            if module is not None and compat.file_of(module) != found.file:
                return None
        return module

    def again(self, sys_name, served, ran):
        if sys.modules.get(sys_name) is not served:
            return None
        unreadable = running.unreadable(self.found)
        if unreadable is not None:
            core.link(self.request.origin, self.name, self.found.key)
            return _as_before(self.request, self.name, unreadable)
        version = core.version(self.found.key)
        if ran is served and compat.is_plain(served) and (compat.file_of(served) == self.found.file):
            run = self.run(sys_name, ran, served, True)
        else:
            run = self.run(sys_name, running.new_module(self.found, sys_name), served, False)
        return ((stock_reloads or version is None) and [run] or [self.unless_it_fails(run, version)])[0]

    def unless_it_fails(self, run, version):
        try:
            yield run
            module = core.answer()
        except (SystemExit, KeyboardInterrupt):
            raise
        except Exception:
            module = self.stays(version, sys.exc_info()[1])
        yield (None, module)
        core.answer()

    def stays(self, version, error):
        request = self.request
        core.link(request.origin, self.name, self.found.key)
        known = core.refuse(request.origin, self.name, version)
        if known is None:
            raise
        self.failed(error)
        return known[0]

    def first(self, sys_name, from_outside):
        found = self.found
        current = sys.modules.get(sys_name)
        if current is not None and compat.file_of(current) != found.file and (not found.replaces(current)):
            is_replaced = sys_name != found.name and siblings.is_replaced(sys_name, found.key)
            return (is_replaced and [self.replacement(sys_name)] or [None])[0]
        if current is None or found.replaces(current) or (from_outside and self.is_wreck(current)):
            names.make_room(found, sys_name)
            return self.run(sys_name, running.new_module(found, sys_name), current, False)
        if compat.is_initialising(current):
            return (from_outside and [None] or [current])[0]
        version = running.version_at_import(found, current)
        if self.autoreload and version is not None and (version != core.version(found.key)):
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
        current = sys.modules.get(sys_name)
        if current is None:
            raise compat.not_found(self.name)
        self.adopt(sys_name, current, running.watched(self.found))
        return current

    def adopt(self, sys_name, module, version):
        request = self.request
        core.adopt(request.origin, self.name, self.found.key, module, sys_name, version)

    def mend(self, sys_name, module):
        cgihandler.loaded(self.name, sys_name, module)
        if self.name == 'mod_python.wsgi':
            wsgi.mend(module)

    def is_wreck(self, module):
        return core.is_running(self.found.key) or compat.is_left_behind(module)

    def run(self, sys_name, module, previous, again):
        request, found = (self.request, self.found)
        request.notice(self.name)
        if found.directory:
            siblings.belongs(found, sys_name)
        private.forget(found, sys_name)

        def run(module):
            if again:
                running.complete(found, module, sys_name)
            yield running.run(found, module, again)
            version = core.answer()
            self.mend(sys_name, module)
            yield (None, version)
            core.answer()
        first = seconds_alone and request.dispatched and (not again) and (core.running(found.key) is None)
        yield ('run', request.origin, self.name, found.key, sys_name, module, previous, again, run)
        served = core.answer()
        if first and served is not None:
            core.run_alone(found.key)
        yield (None, served)
        core.answer()

def log_line(text, level):
    try:
        apache.log_error(text, apache.APLOG_NOERRNO | level)
    except (SystemExit, KeyboardInterrupt):
        raise
    except Exception:
        pass

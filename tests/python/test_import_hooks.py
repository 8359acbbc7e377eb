# Python 3: that of 2 asks no hooks, since modules are found by imp there, as in mod_python 3.1.
"""Finders and loaders that a site has put into sys.meta_path are asked as an import statement asks them (I11)."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
import time

import harness
from harness import Directory, Request, apache, case, run, together

PAGE = 'import helper\nwho = helper.who\ndef handler():\n    import late\n    return late.who\n'
FILE = 'import harness\nharness.ran(__file__)\nwho = __file__\n'


def page(here, name='page'):
    return apache.CallBack().HandlerDispatch(Request(name, here.path))


def site():
    here = Directory(False)
    for name, text in (('page', PAGE), ('helper', FILE), ('late', FILE)):
        here.write(name + '.py', text)
    return here


class Hook(object):
    """In sys.meta_path for the time of a block, in front."""

    def __enter__(self):
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_):
        sys.meta_path.remove(self)
        forget()


def forget():
    for name, module in list(sys.modules.items()):
        if name.rpartition('_')[2] in ('page', 'helper', 'late', 'dpy') or name in ('page', 'helper', 'late'):
            del sys.modules[name]


class Virtual(importlib.abc.Loader):
    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.who = 'the database'


class Database(Hook):
    def __init__(self):
        self.asked = []

    def find_spec(self, name, path=None, target=None):
        self.asked.append(name)
        return importlib.util.spec_from_loader(name, Virtual()) if name in ('helper', 'late') else None


@case
def a_file_beside_the_page_hid_what_a_finder_claims():
    here = site()
    sys.path.insert(0, here.path)
    with Database():
        one = page(here)
        assert one.who == 'the database' and one.handler() == 'the database', one.who


@case
def a_finder_was_asked_three_times_for_what_is_in_no_file():
    for path in ('front', 'nowhere'):
        here = site()
        if path == 'front':
            sys.path.insert(0, here.path)
        with Database() as database:
            one = page(here)
            assert one.handler() == one.who == 'the database'
            assert apache.import_module('helper').who == one.who
            for name in 'helper', 'late':
                assert database.asked.count(name) == 1, (path, database.asked)


class Legacy(Hook):
    """The protocol of before, which Python honours up to 3.11."""

    def find_module(self, name, path=None):
        return self if name in ('helper', 'late') else None

    def load_module(self, name):
        module = sys.modules[name] = type(sys)(name)
        module.who = 'as before'
        return module


@case
def finders_of_the_old_protocol_were_not_asked():
    here = site()
    sys.path.insert(0, here.path)
    with Legacy():
        right = 'as before' if sys.version_info < (3, 12) else here.file('helper.py')
        assert page(here).who == right


class Proxy(object):
    """Stands for the loader in all that is asked of it, as object proxies do, and lets itself be copied no more than one
    made in C."""

    __slots__ = ('__wrapped__',)

    def __init__(self, wrapped):
        object.__setattr__(self, '__wrapped__', wrapped)

    @property
    def __class__(self):
        return type(self.__wrapped__)

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, '__wrapped__'), name)

    def __setattr__(self, name, value):
        raise TypeError('not to be written to')

    def __reduce_ex__(self, protocol):
        raise TypeError('not to be copied')

    def exec_module(self, module):
        self.__wrapped__.exec_module(module)
        harness.executed.append(module)


class Wraps(Hook):
    """Has others find the module, as monitoring agents do, with a guard against itself."""

    def __init__(self, wrap=Proxy, names=('page', 'helper', 'late')):
        self.wrap, self.names, self.busy = wrap, names, set()

    def find_spec(self, name, path=None, target=None):
        if name not in self.names or name in self.busy or path is not None:
            return None
        self.busy.add(name)
        try:
            time.sleep(0.001)
            spec = importlib.util.find_spec(name)
        finally:
            self.busy.discard(name)
        if spec is not None:
            spec.loader = self.wrap(spec.loader)
        return spec


@case
def a_wrapped_loader_was_copied():
    here = site()
    sys.path.insert(0, here.path)
    harness.executed = []
    with Wraps():
        one = page(here)
        assert one.who == here.file('helper.py') and one.handler() == here.file('late.py')
        assert [module.__name__ for module in harness.executed] == ['helper', 'page', 'late']
        assert type(sys.modules['helper'].__spec__.loader) is Proxy
        # At a reload too.
        here.write('page.py', PAGE + 'changed = True\n')
        assert page(here).changed and harness.executed[-1] is one


@case
def thirty_two_clients_lost_what_a_finder_adds():
    here = site()
    sys.path.insert(0, here.path)
    for _ in range(10):
        harness.executed = []
        with Wraps(names=('late',)):
            one = page(here)
            assert [result.get() for result in together(*[one.handler] * 32)] == [here.file('late.py')] * 32
            assert len(harness.executed) == 1, harness.executed


class Counts(Hook):
    def __init__(self):
        self.asked, self.at_once, self.most, self.guard = [], 0, 0, threading.Lock()

    def find_spec(self, name, path=None, target=None):
        if name == 'late':
            with self.guard:
                self.asked.append(path)
                self.at_once += 1
                self.most = max(self.most, self.at_once)
            time.sleep(0.01)
            with self.guard:
                self.at_once -= 1


@case
def a_finder_was_asked_by_all_at_once_and_for_directories():
    here = site()
    sys.path.insert(0, here.path)
    for clients in (1, 32):
        with Counts() as counts:
            one = page(here)
            for result in together(*[one.handler] * clients):
                result.get()
            assert counts.most == 1 and counts.asked == [None], (clients, counts.most, counts.asked)


class NameChecking(object):
    def __init__(self, inner):
        self.name, self.inner = inner.name, inner

    def create_module(self, spec):
        assert spec.name == self.name, (spec.name, self.name)

    def exec_module(self, module):
        assert module.__spec__.name == self.name
        self.inner.exec_module(module)
        harness.executed.append(module)


class Slots(object):
    __slots__ = ('inner',)

    def __init__(self, inner):
        self.inner = inner

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.inner.exec_module(module)
        harness.executed.append(module)


def chained(loader):
    run_it = loader.exec_module

    def exec_module(module):
        run_it(module)
        harness.executed.append(module)
    loader.exec_module = exec_module
    return loader


class InPath(Hook):
    def __init__(self, wrap):
        self.wrap = wrap

    def find_spec(self, name, path=None, target=None):
        if name in ('page', 'helper', 'late'):
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            if spec is not None:
                spec.loader = self.wrap(spec.loader)
            return spec


@case
def loaders_that_know_their_name_failed_in_a_second_directory():
    for wrap in NameChecking, Slots, chained, Proxy:
        harness.executed = []
        with InPath(wrap):
            for here in site(), site():
                sys.path.append(here.path)
                one = page(here)
                assert one.who == here.file('helper.py') and one.handler() == here.file('late.py'), (wrap, one.who)
                sys.path.remove(here.path)
            assert len(harness.executed) == 6, (wrap, harness.executed)


class Keeps(importlib.machinery.SourceFileLoader):
    def exec_module(self, module):
        self.kept = True
        super().exec_module(module)


@case
def the_loader_of_the_spec_was_not_the_one_that_ran():
    here = site()
    sys.path.insert(0, here.path)

    class Finds(Hook):
        def find_spec(self, name, path=None, target=None):
            if name == 'helper':
                file = here.file('helper.py')
                return importlib.util.spec_from_file_location(name, file, loader=Keeps(name, file))
    with Finds():
        page(here)
        assert sys.modules['helper'].__spec__.loader.kept


_watched = []
_denied = set()


def _watch(event, args):
    if event == 'import' and args[0] in ('page', 'helper', 'late', 'package'):
        _watched.append(args[0])
        if args[0] in _denied:
            raise ImportError('denied')


@case
def an_audit_hook_did_not_see_siblings():
    sys.addaudithook(_watch)
    here = site()
    here.write('package/__init__.py', FILE)
    here.write('package/part.py', FILE)
    here.write('page.py', PAGE + 'def parts():\n    import package.part\n    return package.who\n')
    found = page(here)
    assert _watched == ['helper'], _watched
    found.handler(), found.handler(), found.parts()
    assert _watched == ['helper', 'late', 'package'], _watched
    forget()
    _denied.add('helper')
    try:
        page(here)
    except ImportError as error:
        assert str(error) == 'denied', error
    else:
        raise AssertionError('an import that is denied')
    finally:
        _denied.clear()
        forget()


@case
def sources_were_read_by_what_a_site_had_put_into_builtins():
    import builtins
    here, real = site(), builtins.open
    builtins.open = None
    try:
        assert page(here).handler() == here.file('late.py')
    finally:
        builtins.open = real
        forget()


run()

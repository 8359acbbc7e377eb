# Python 3: the lazy loaders are importlib's.
"""An import is no use of a module: what a site has made lazy stays so, and what fails fails at its use (I11)."""

import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import types

import harness
from harness import Directory, Request, apache, case, raises, run

PAGE = 'import lazy\ndef use():\n    return lazy.answer\n'
ANSWER = 'import harness\nharness.ran("lazy")\nanswer = 42\n'


def page(here, name='page'):
    return apache.CallBack().HandlerDispatch(Request(name, here.path))


def site(**files):
    here = Directory(False)
    for name, text in files.items():
        here.write(name + '.py', text)
    return here


class LazyPaths(object):
    """Each file of a site is loaded at its first use."""

    def __enter__(self):
        source = importlib.util.LazyLoader.factory(importlib.machinery.SourceFileLoader)
        finder = importlib.machinery.FileFinder.path_hook((source, ['.py']))

        def hook(path):
            # Python's own library has other files than those.
            if not path.startswith(os.path.realpath(tempfile.gettempdir())):
                raise ImportError(path)
            return finder(path)

        self.hook = hook
        sys.path_hooks.insert(0, hook)
        sys.path_importer_cache.clear()

    def __exit__(self, *_):
        sys.path_hooks.remove(self.hook)
        sys.path_importer_cache.clear()
        for name in ('page', 'lazy', 'one', 'other'):
            sys.modules.pop(name, None)


@case
def a_lazy_sibling_was_run_by_its_import():
    with LazyPaths():
        use = page(site(page=PAGE, lazy=ANSWER)).use
        assert harness.runs.get('lazy', 0) == 0, harness.runs.get('lazy', 0)
        assert use() == 42 and harness.runs.get('lazy', 0) == 1


@case
def a_lazy_sibling_that_cannot_be_loaded_failed_the_page():
    with LazyPaths():
        use = page(site(page=PAGE, lazy='import there_is_no_such_module\n')).use
        raises(ImportError, use)


@case
def lazy_siblings_that_import_each_other_were_half_run_for_good():
    files = {'page': 'import one\ndef use():\n    return one.get()\n',
             'one': 'import other\ndef get():\n    return other.get()\nclass Base(object):\n    pass\n',
             'other': 'import one\nclass Derived(one.Base):\n    pass\ndef get():\n    return Derived\n'}
    with LazyPaths():
        assert page(site(**files)).use().__name__ == 'Derived'


PROXY = """
import harness, sys

class Proxy(object):
    __slots__ = ('_made',)

    def _get(self):
        harness.ran('made')
        if not harness.is_configured:
            raise RuntimeError('settings are not configured yet')
        return Settings

    __class__ = property(lambda self: self._get().__class__)
    __dict__ = property(lambda self: self._get().__dict__)

    def __getattr__(self, name):
        return getattr(self._get(), name)

    def __setattr__(self, name, value):
        setattr(self._get(), name, value)

class Settings(object):
    answer = 42

sys.modules[__name__] = Proxy()
"""


@case
def what_a_lazy_object_in_sys_modules_stands_for_was_made_by_its_import():
    harness.is_configured = False
    use = page(site(page=PAGE, lazy=PROXY)).use
    assert harness.runs.get('made', 0) == 0, harness.runs.get('made', 0)
    raises(RuntimeError, use)
    harness.is_configured = True
    assert use() == 42
    del sys.modules['lazy'], sys.modules['page']


class Strict(types.ModuleType):
    """Minds being written to."""

    def __setattr__(self, name, value):
        raise AttributeError('it is constant: %s' % name)


@case
def a_module_that_minds_being_written_to_was_written_to():
    harness.Strict = Strict
    files = {'page': PAGE, 'lazy': 'import harness, sys\nanswer = 42\nsys.modules[__name__].__class__ = harness.Strict\n'}
    assert page(site(**files)).use() == 42
    assert apache.import_module('lazy', path=[site(**files).path]).answer == 42


@case
def the_error_of_a_lazy_sibling_was_lost_by_a_statement_that_uses_it():
    with LazyPaths():
        use = page(site(page='def use():\n    from lazy import part\n', lazy='raise ConnectionError("down")\n')).use
        raises(ConnectionError, use)
    with LazyPaths():
        here = site(page='def use():\n    from lazy import part\n')
        here.write('lazy/__init__.py', '1/0\n')
        here.write('lazy/part.py', '')
        raises(ZeroDivisionError, page(here).use)
    with LazyPaths():
        here = site(page='def use():\n    from lazy import part, answer\n    return part.value, answer\n')
        here.write('lazy/__init__.py', ANSWER)
        here.write('lazy/part.py', 'value = 1\n')
        assert page(here).use() == (1, 42)
        sys.modules.pop('lazy.part')


run()

"""Functions that take the name of a module, and code with globals of its own, mean in a request of a page what the page's
import statements mean (I12): two directories may have equal copies of a package."""

import importlib
import logging.config
import os
import sys

from harness import PYTHON2, Directory, Request, apache, case, import_module, run, together

FILES = {
    'pk/__init__.py': 'PLUG = {}\nwho = __file__\n',
    'pk/load.py': 'import importlib\ndef load(name):\n    importlib.import_module("pk.plugins." + name)\n'
                  '    from pk import PLUG\n    return PLUG[name]\n',
    'pk/plugins/__init__.py': '',
    'pk/plugins/csv_.py': 'from pk import PLUG\nPLUG["csv_"] = __file__\n',
    'pk/mod.py': 'who = __file__\nclass Handler(object):\n    seen = []\n    def __init__(self, *_): self.seen.append(self)\n'
                 '    level = 0\n    def setLevel(self, _): pass\n    def setFormatter(self, _): pass\n    name = "h"\n'
                 '    def handle(self, _): pass\n',
    'settings.py': 'who = __file__\n',
    'page.py': '''
import importlib
import library
import pk, pk.load, pk.mod
def plugin():
    return pk.load.load('csv_'), pk.PLUG['csv_']
def part():
    importlib.import_module('pk.plugins')
    return importlib.import_module('pk.mod').who, pk.mod.who, importlib.import_module('.mod', 'pk').who
def called():
    import sys
    return ([__import__('pk.mod', fromlist=['x']).who, __import__('pk.mod', {}, {}, ['']).who, __import__('pk').mod.who]
            + ([] if sys.version_info[0] == 2 else [__import__('pk.mod', level=0).mod.who])
            + [__import__(name='pk.mod', fromlist=['x'], globals={}).who])
def executed():
    names = {}
    exec('import pk.mod\\nwho = pk.mod.who', names)
    exec('from pk.mod import who as other', {'__name__': 'nowhere'}, names)
    exec('import pk.mod', {'__name__': 5})
    return names['who'], names['other']
def by_library():
    return library.import_now('pk.mod').who, library.statement().who, library.pythons()
def configured():
    import logging.config
    before = len(pk.mod.Handler.seen)
    logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False,
                               'handlers': {'one': {'class': 'pk.mod.Handler'}}})
    return len(pk.mod.Handler.seen) - before
''',
}
LIBRARY = '''
import importlib
def import_now(name):
    return importlib.import_module(name)
def statement():
    import settings
    return settings
import colorsys as real
def pythons():
    import colorsys
    return colorsys is importlib.import_module('colorsys') is real
'''


def site():
    here = Directory(False)
    for name, text in FILES.items():
        here.write(name, text)
    # A page that has the name of one of Python's own modules: nobody else gets it.
    here.write('colorsys.py', 'mine = True\n')
    return here


def page(here, name='page'):
    return apache.CallBack().HandlerDispatch(Request(name, here.path))


@case
def a_page_of_the_second_directory_held_two_copies_of_a_package():
    server = Directory()
    server.write('library.py', LIBRARY)
    __import__('library')
    sites = [site(), site()]
    for here in sites:
        page(here, 'colorsys')
        page(here, 'settings')
    for here in sites + sites:
        one = page(here)
        mod, settings, plugin = here.file('pk/mod.py'), here.file('settings.py'), here.file('pk/plugins/csv_.py')
        assert one.plugin() == (plugin, plugin), one.plugin()
        assert one.part() == (mod,) * 3, one.part()
        assert set(one.called()) == set([mod]), one.called()
        assert one.executed() == (mod, mod), one.executed()
        assert one.by_library() == (mod, settings, True), one.by_library()
    for result in together(*[page(here).part for here in sites * 8]):
        result.get()


@case
def the_configuration_of_logging_in_the_second_directory():
    server = Directory()
    server.write('library.py', LIBRARY)
    # It keeps __import__ as it was when it was imported, at which no page was there in a server.
    logging.config.BaseConfigurator.importer = staticmethod(lambda *args: __import__(*args))
    for here in site(), site():
        one = page(here)
        assert one.configured() == 1, here.path


@case
def what_a_library_asked_for_first_was_everybodys():
    server = Directory()
    server.write('first_asks.py', 'import importlib\ndef statement():\n    import sooner\n    return sooner\n'
                                  'def called():\n    return importlib.import_module("later")\n')
    text = ('import first_asks\none, two = first_asks.statement(), first_asks.called()\nnames = {}\n'
            'exec("import executed", names)\nthree = names["executed"]\n'
            'def own():\n    import sooner, later, executed\n    return [sooner.who, later.who, executed.who]\n')
    for here in Directory(False), Directory(False):
        here.write('library_first.py', text)
        for name in 'sooner', 'later', 'executed':
            here.write(name + '.py', 'who = __file__\n')
        one = page(here, 'library_first')
        right = [here.file(name + '.py') for name in ('sooner', 'later', 'executed')]
        assert [one.one.who, one.two.who, one.three.who] == right and one.own() == right, (one.own(), right)


@case
def a_module_that_a_finder_takes_over_was_looked_for_without_end():
    if PYTHON2:
        return
    here = Directory(False)
    here.write('taken.py', 'who = "file"\n')
    here.write('takes.py', 'import taken\ndef who():\n    return __import__("taken").who\n')
    one = page(here, 'takes')

    class Loader(object):
        def create_module(self, spec):
            return None

        def exec_module(self, module):
            module.who = 'finder'

    class Finder(object):
        def find_spec(self, name, path=None, target=None):
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, Loader()) if name == 'taken' else None
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        sys.modules.pop('taken')
        assert one.who() == 'finder'
    finally:
        sys.meta_path.remove(finder)


@case
def names_that_requests_give_were_kept_for_ever():
    here = Directory(False)
    here.write('given.py', 'import importlib\ndef get(name):\n    try:\n        importlib.import_module(name)\n'
                           '    except ImportError:\n        return True\n')
    one = page(here, 'given')
    assert all([one.get('no_such_%d' % number) for number in range(1500)])
    assert len(sys.modules['modpython_core.siblings']._on_server) <= 1000


@case
def importlibs_functions_stay_what_they_are():
    import inspect
    import pickle
    here = Directory(False)
    here.write('any.py', '')
    page(here, 'any')
    if not PYTHON2:
        assert str(inspect.signature(importlib.import_module)) == '(name, package=None)'
        assert pickle.loads(pickle.dumps(importlib.import_module)) is importlib.import_module
        assert b'modpython' not in pickle.dumps(importlib.import_module)
    import_statement = getattr(sys.modules.get('builtins') or sys.modules['__builtin__'], '__import__')
    assert pickle.loads(pickle.dumps(import_statement)) is import_statement
    assert b'modpython' not in pickle.dumps(import_statement)


LACKS = '''
import importlib
import hlp, pk.mod
def error_of(call, *names):
    try:
        call(*names)
    except ImportError as error:
        return type(error).__name__, getattr(error, 'name', None), error.args, str(error)
def attribute():
    from hlp import nope
def of_part():
    from pk.mod import who, nope
def part():
    import pk.nope
def no_package():
    import hlp.nope
def relative():
    importlib.import_module('.nope', 'pk')
def made():
    from lazy import anything
    return anything
def errors():
    return [error_of(call) for call in (attribute, of_part, part, no_package, relative)] + [
        error_of(importlib.import_module, 'pk.nope'), error_of(__import__, 'pk.nope.x')]
def stands():
    return __import__('hlp', fromlist=['nope']).__file__
'''


@case
def an_error_said_the_private_name():
    given = []
    for here in Directory(False), Directory(False):
        here.write('lacks.py', LACKS)
        here.write('hlp.py', 'who = 1\n')
        here.write('lazy.py', 'def __getattr__(name):\n    if name[0] == "_":\n        raise AttributeError\n'
                              '    return [name]\nanything = 1\n')
        here.write('pk/__init__.py', '')
        here.write('pk/mod.py', 'who = 1\n')
        one = page(here, 'lacks')
        assert one.stands() == here.file('hlp.py')
        assert one.made() == 1 or not PYTHON2
        given.append([[str(part).replace(here.path, '') for part in error] for error in one.errors()])
    assert given[0] == given[1], given
    assert '_mp_' not in str(given), given
    if not PYTHON2:
        assert [error[1] for error in given[1]] == [
            'hlp', 'pk.mod', 'pk.nope', 'hlp.nope', 'pk.nope', 'pk.nope', 'pk.nope'], given


@case
def a_spec_of_a_bare_name_could_only_be_imported():
    if PYTHON2:
        return
    import importlib.util
    import inspect
    import pkgutil
    import runpy
    here = Directory()
    file = here.write('tabnanny.py', 'who = __file__\nran_as = __name__\n')
    # Python's own comes first where the server has started.
    one = page(here, 'tabnanny')
    sys.modules.pop('tabnanny', None)
    assert one.__name__ != 'tabnanny'
    spec = importlib.util.find_spec('tabnanny')
    assert spec.origin == file and spec.has_location and spec.loader.get_filename('tabnanny') == file, spec
    assert runpy.run_module('tabnanny')['who'] == file
    assert runpy.run_module('tabnanny', run_name='__main__')['ran_as'] == '__main__'
    assert pkgutil.get_data('tabnanny', 'tabnanny.py') == open(file, 'rb').read()
    tabnanny = importlib.import_module('tabnanny')
    assert tabnanny is one and inspect.getsource(tabnanny) == open(file).read() and tabnanny.__spec__.name == one.__name__


@case
def outside_of_pages_a_name_is_what_it_was():
    first, second = site(), site()
    for here in (first, second):
        here.write('alone.py', 'who = __file__\n')
        import_module('alone', path=[here.path])
    assert importlib.import_module('alone').who == first.file('alone.py')
    assert importlib.import_module(name='alone').who == first.file('alone.py')
    assert together(lambda: importlib.import_module('alone').who)[0].get() == first.file('alone.py')
    try:
        importlib.import_module('.x')
    except (TypeError, ValueError, ImportError):
        pass
    else:
        raise AssertionError('a relative name without a package')
    assert importlib.import_module('os.path') is os.path


run()

"""Loads that fail (I5): once per attempt, an exception of one's own for each, and everything as before."""

import os
import sys
import threading

import harness
from harness import PYTHON2, Directory, apache, case, core, import_module, lines, raises, run, runs, together, until

THREADS = 12


def attempt(here, name, kind, depths=(), other=False):
    """All threads wait on one attempt, which is held until they do; returns their exceptions."""
    harness.hold = threading.Event()

    def let_go():
        until(lambda: core.waiting(here.key(name + '.py')) == THREADS - 1)
        harness.hold.set()

    results = together(let_go, *[lambda: import_module(name)] * THREADS)[1:]
    errors = [result.error for result in results]
    if depths == []:
        depths[:] = sorted(result.depth for result in results)
    assert all(isinstance(error, kind) if other else type(error) is kind for error in errors), errors
    assert len(set(map(id, errors))) == THREADS, 'one object for several threads'
    assert runs.get(name) == 1, runs
    assert name not in sys.modules
    ours = lines(apache.APLOG_ERR)
    assert len(ours) == 1 and here.file(name + '.py') in ours[0] and name in ours[0], ours
    return errors


HELD = 'import harness\nharness.ran(__name__)\nharness.hold.wait(20)\n'


@case
def an_exception_for_everyone_who_waited():
    here = Directory()
    here.write('raising.py', HELD + 'raise ValueError("spoilt", 7)\n')
    depths = []
    errors = attempt(here, 'raising', ValueError, depths)
    assert all(error.args == ('spoilt', 7) for error in errors)
    # The one that ran the module has the module's frame on top; nobody has the frames of another.
    assert depths[-1] <= 16, depths
    here.write('raising.py', 'value = 1\n')
    assert import_module('raising').value == 1


@case
def system_exit_and_keyboard_interrupt():
    here = Directory()
    here.write('leaving.py', HELD + 'raise SystemExit(3)\n')
    assert all(error.code == 3 for error in attempt(here, 'leaving', SystemExit))
    del apache.lines[:]
    here.write('interrupted.py', HELD + 'raise KeyboardInterrupt\n')
    attempt(here, 'interrupted', KeyboardInterrupt)


@case
def an_exception_whose_class_minds_being_made_again_is_made_without_it():
    here = Directory()
    here.write('awkward.py', HELD + 'class Awkward(Exception):\n'
               '  __slots__ = ("one",)\n'
               '  def __new__(cls, one, two):\n    harness.ran("made")\n    return Exception.__new__(cls, "text")\n'
               '  def __init__(self, one, two):\n    self.one = one\n    Exception.__init__(self, "text")\n'
               'raise Awkward(1, 2)\n')
    for error in attempt(here, 'awkward', Exception, other=True):
        assert type(error).__name__ == 'Awkward' and (error.one, error.args) == (1, ('text',)), error
    assert runs['made'] == 1, runs


@case
def a_frozen_exception_failed_those_who_had_waited():
    here = Directory()
    here.write('frozen.py', HELD + 'class Frozen(Exception):\n  def __setattr__(self, name, value):\n'
               '    raise TypeError("cannot assign to %s" % name)\nraise Frozen("dsn")\n')
    for error in attempt(here, 'frozen', Exception, other=True):
        assert type(error).__name__ == 'Frozen' and error.args == ('dsn',), error


@case
def an_exception_that_cannot_be_made_again_is_the_one_that_there_is():
    """A class in C makes its objects itself (pydantic's ValidationError). In Python 2 it is an ImportError that says so."""
    here = Directory()
    here.write('posing.py', HELD + 'class Posing(Exception):\n  __class__ = property(lambda self: ValueError)\n'
               'raise Posing("text")\n')
    harness.hold = threading.Event()

    def let_go():
        until(lambda: core.waiting(here.key('posing.py')) == THREADS - 1)
        harness.hold.set()

    errors = [result.error for result in together(let_go, *[lambda: import_module('posing')] * THREADS)[1:]]
    kinds = sorted(type(error).__name__ for error in errors)
    if not PYTHON2:
        assert kinds == ['Posing'] * THREADS, kinds
        return
    assert kinds == ['ImportError'] * (THREADS - 1) + ['Posing'], kinds
    for error in errors:
        if isinstance(error, ImportError):
            assert here.file('posing.py') in str(error) and 'text' in str(error)


@case
def attributes_of_exceptions_are_kept():
    here = Directory()
    here.write('oserror.py', HELD + 'open("/nowhere/at/all")\n')
    for error in attempt(here, 'oserror', harness.FileNotFoundError):
        assert error.filename == '/nowhere/at/all' and error.errno == 2
    del apache.lines[:]
    here.write('needing.py', HELD + 'import nowhere_at_all\n')
    errors = attempt(here, 'needing', harness.ModuleNotFoundError)
    assert PYTHON2 or all(error.name == 'nowhere_at_all' for error in errors)


@case
def a_syntax_error():
    here = Directory()
    file = here.write('bad.py', 'x = = 1\n')
    for result in together(*[lambda: import_module('bad')] * THREADS):
        assert type(result.error) is SyntaxError
        assert (result.error.filename, result.error.lineno) == (file, 1)
    here.write('bad.py', 'x = 1\n')
    assert import_module('bad').x == 1


@case
def a_source_that_is_no_text():
    here = Directory()
    with open(here.file('binary.py'), 'wb') as out:
        out.write(b'x = "\xff\xfe"\n')
    raises(SyntaxError, import_module, 'binary')
    with open(here.file('nuls.py'), 'wb') as out:
        out.write(b'x = 1\0\n')
    raises((SyntaxError, ValueError, TypeError), import_module, 'nuls')


@case
def a_failed_reload_leaves_what_was_there():
    here = Directory()
    here.write('spoilt.py', 'value = 1\nkept = 1\n')
    module = import_module('spoilt')
    here.write('spoilt.py', 'value = 2\nnew = 1\ndel kept\nraise ValueError("no")\n')
    for _ in range(2):
        raises(ValueError, import_module, 'spoilt')
        assert sys.modules['spoilt'] is module
        assert (module.value, module.kept, hasattr(module, 'new')) == (1, 1, False)
    assert import_module('spoilt', autoreload=0) is module
    here.write('spoilt.py', 'value = = 3\n')
    raises(SyntaxError, import_module, 'spoilt')
    here.write('spoilt.py', 'value = 4\n')
    assert import_module('spoilt') is module and module.value == 4


@case
def who_does_not_want_a_reload_does_not_get_its_failure():
    here = Directory()
    here.write('content.py', 'value = 1\n')
    import_module('content')
    here.write('content.py', HELD + 'raise ValueError("no")\n')
    harness.hold = threading.Event()

    def let_go():
        until(lambda: core.waiting(here.key('content.py')) == 1)
        harness.hold.set()

    def patient():
        until(lambda: core.locks() == 2 and runs.get('content'))
        return import_module('content', autoreload=0).value

    _, eager, content = together(let_go, lambda: import_module('content'), patient)
    assert type(eager.error) is ValueError and content.get() == 1


@case
def a_file_that_is_deleted_between_the_search_and_the_load():
    here = Directory()
    file = here.write('vanishing.py', 'value = 1\n')
    running = sys.modules['modpython_core.running']
    os.unlink(file)
    error = raises(ImportError, running.read, file)
    assert file in str(error) and (PYTHON2 or error.path == file)


@case
def a_directory_that_is_unreadable():
    here = Directory()
    here.write('locked.py', 'value = 1\n')
    module = import_module('locked')
    here.write('secret.py', 'value = 1\n')
    os.chmod(here.path, 0)
    try:
        if os.getuid() == 0:
            # Root may read everything, so that a directory without a permission looks to it like any other.
            assert import_module('secret').value == 1
        else:
            raises(ImportError, import_module, 'secret')
        assert import_module('locked') is module
    finally:
        os.chmod(here.path, 0o700)
    assert import_module('secret').value == 1


@case
def a_file_replaced_while_it_loads_is_loaded_again():
    here = Directory()
    harness.replace = lambda: here.write('moving.py', 'import harness\nharness.ran(2)\nvalue = 2\n')
    here.write('moving.py', 'import harness\nharness.ran(1)\nharness.replace()\nvalue = 1\n')
    for result in together(*[lambda: import_module('moving').value] * 8):
        assert result.get() in (1, 2)
    assert import_module('moving').value == 2
    assert runs == {1: 1, 2: 1}


@case
def a_failure_inside_a_load_reaches_the_outer_module_once():
    here = Directory()
    here.write('outer.py', 'from mod_python import apache\ntry:\n  apache.import_module("inner_bad")\n'
               'except ValueError:\n  caught = True\n')
    here.write('inner_bad.py', 'import harness\nharness.ran(__name__)\nraise ValueError\n')
    for result in together(*[lambda: import_module('outer').caught] * 8):
        assert result.get()
    assert runs == {'inner_bad': 1}


@case
def an_exception_with_a_broken_str():
    here = Directory()
    here.write('mute.py', 'class Mute(Exception):\n  def __str__(self):\n    raise RuntimeError\nraise Mute\n')
    error = raises(Exception, import_module, 'mute')
    assert type(error).__name__ == 'Mute'
    assert 'Mute' in lines()[0]


@case
def exceptions_of_old_classes():
    if not PYTHON2:
        return  # Python 3 has none
    here = Directory()
    here.write('old.py', HELD + 'class Old:\n  pass\nraise Old()\n')
    harness.hold = threading.Event()

    def let_go():
        until(lambda: core.waiting(here.key('old.py')) == THREADS - 1)
        harness.hold.set()

    errors = [result.error for result in together(let_go, *[lambda: import_module('old')] * THREADS)[1:]]
    kinds = [error.__class__.__name__ for error in errors]
    assert kinds == ['Old'] * THREADS and len(set(map(id, errors))) == THREADS, kinds
    assert len(lines(apache.APLOG_ERR)) == 1 and 'old' not in sys.modules and runs == {'old': 1}


@case
def the_parts_of_a_package_that_failed_ran_again():
    """Parts register classes elsewhere once, and the next attempt finds the parts. `from . import part` of Python 2
    would not find them, so that they go with their package there."""
    here = Directory(False)
    here.write('page.py', 'import app\nvalue = app.value\n')
    here.write('app/part.py', 'import harness\nharness.ran("part")\nclass Registered(object):\n  pass\n')
    here.write('app/__init__.py', 'from . import part\nimport harness\nif harness.is_down:\n  raise OSError("down")\nvalue = part\n')
    harness.is_down = True
    for _ in range(2):
        raises(OSError, import_module, 'page', path=[here.path])
        assert 'app' not in sys.modules
    assert ('app.part' in sys.modules) is not PYTHON2
    harness.is_down = False
    page = import_module('page', path=[here.path])
    assert page.value is sys.modules['app.part']
    assert runs['part'] == (3 if PYTHON2 else 1), runs
    assert sys.modules['app.part'].Registered.__module__ == 'app.part'


@case
def who_had_waited_was_not_shown_where_it_failed():
    if PYTHON2:
        return
    import traceback
    here = Directory()
    here.write('shown.py', HELD + 'try:\n  {}["missing"]\nexcept KeyError:\n  raise ValueError("unset")  # the line\n')
    for error in attempt(here, 'shown', ValueError):
        text = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
        assert '# the line' in text and "KeyError: 'missing'" in text, text


@case
def a_part_of_no_package_is_said_as_python_says_it():
    here = Directory()
    here.write('single.py', '')
    error = raises(ImportError, import_module, 'single.part')
    assert PYTHON2 or str(error) == "No module named 'single.part'; 'single' is not a package", error


@case
def a_part_that_a_failed_package_had_left_could_not_be_imported():
    """Of a package with an optional dependency that is missing. In Python 2 its parts go with it."""
    if PYTHON2:
        return
    part = 'import harness\nharness.ran(%(site)r)\nsite = %(site)r\n'
    page = ('import importlib\ntry:\n  import fast\nexcept ImportError:\n  pass\n'
            'from fast.core import site\nassert importlib.import_module("fast.core").site == site\n')
    for here in harness.sites(page=page, fast____init__='from . import core\nimport there_is_no_such_module\n', fast__core=part):
        found = import_module('page', path=[here.path])
        assert runs[found.site] == 1, runs
        assert import_module('fast.core', path=[here.path]).site == found.site and runs[found.site] == 1, runs


@case
def failing_packages_of_one_name_threw_each_others_parts_out():
    if PYTHON2:
        return
    harness.is_down = True
    north, south = harness.sites(turns____init__='from . import part\nimport harness\nif harness.is_down:\n  raise OSError\n',
                                 turns__part='import harness\nharness.ran("turns" + %(site)r)\nsite = %(site)r\n')
    for here in (north, south) * 2:
        raises(OSError, import_module, 'turns', path=[here.path])
    harness.is_down = False
    assert [import_module('turns', path=[here.path]).part.site for here in (north, south)] == ['north', 'south']
    assert runs['turnsnorth'] == runs['turnssouth'] == 1, runs


run()

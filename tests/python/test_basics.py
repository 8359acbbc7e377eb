"""The semantics of mod_python 3.1, as a single thread sees them."""

import os
import sys

from harness import PYTHON2, Directory, apache, case, import_module, lines, raises, run, runs


@case
def a_module_is_loaded_once_and_handed_out():
    here = Directory()
    file = here.write('plain.py', 'import harness\nharness.ran(__name__)\nvalue = 1\n')
    module = import_module('plain')
    assert module is import_module('plain') is sys.modules['plain']
    assert (module.__name__, module.__file__, module.value) == ('plain', file, 1)
    assert runs == {'plain': 1}
    assert module.__mtime__ == os.path.getmtime(file)


@case
def a_changed_file_is_run_again_in_the_same_module():
    here = Directory()
    here.write('changing.py', 'value = 1\nkept = 1\n')
    module = import_module('changing')
    module.pool = object()
    pool = module.pool
    here.write('changing.py', 'value = 2\n')
    assert import_module('changing') is module
    assert (module.value, module.kept, module.pool) == (2, 1, pool)
    assert module.__mtime__ == os.path.getmtime(module.__file__)


@case
def autoreload_off_looks_at_nothing():
    here = Directory()
    here.write('fixed.py', 'value = 1\n')
    import_module('fixed', autoreload=0)
    here.write('fixed.py', 'value = 2\n')
    assert import_module('fixed', autoreload=0).value == 1
    assert import_module('fixed', autoreload=False).value == 1
    assert import_module('fixed').value == 2


@case
def arguments_by_position_and_by_name():
    here = Directory(on_path=False)
    here.write('argued.py', '')
    module = import_module('argued', 1, 0, [here.path])
    assert import_module(path=[here.path], log=0, module_name='argued', autoreload=True) is module
    assert import_module('argued', path=(here.path,)) is module
    assert import_module('argued', path=here.path) is module
    raises(TypeError, import_module)
    raises(TypeError, import_module, 3)
    raises(TypeError, import_module, 'argued', 1, 0, None, 5)
    raises(TypeError, import_module, 'argued', module_name='argued')
    assert 'reload' in str(raises(TypeError, import_module, 'argued', reload=1))


@case
def taking_it_out_of_sys_modules_forces_a_load():
    here = Directory()
    here.write('removed.py', 'import harness\nharness.ran(__name__)\n')
    first = import_module('removed', autoreload=0)
    del sys.modules['removed']
    second = import_module('removed', autoreload=0)
    assert second is not first and sys.modules['removed'] is second
    assert runs == {'removed': 2}


@case
def the_notice_that_log_asks_for():
    here = Directory()
    here.write('logged.py', '')
    import_module('logged', log=1)
    import_module('logged', log=1)
    assert apache.lines == [(apache.APLOG_NOTICE, "mod_python: (Re)importing module 'logged'")]
    here.write('logged2.py', '')
    path = [here.path]
    import_module('logged2', log=1, path=path)
    assert lines()[1:] == ["mod_python: (Re)importing module 'logged2' with path set to '%s'" % path]


@case
def packages_and_dotted_names():
    here = Directory()
    here.write('pack/__init__.py', 'import harness\nharness.ran(__name__)\n')
    here.write('pack/inner.py', 'import harness\nharness.ran(__name__)\nfrom . import sibling\n')
    here.write('pack/sibling.py', '')
    here.write('pack/sub/__init__.py', '')
    here.write('pack/sub/deep.py', 'value = 7\n')
    inner = import_module('pack.inner')
    assert inner is sys.modules['pack.inner'] is sys.modules['pack'].inner
    assert import_module('pack').__path__ == [here.file('pack')]
    assert import_module('pack.sub.deep').value == 7
    here.write('pack/inner.py', 'value = 2\n')
    assert import_module('pack.inner').value == 2
    assert runs == {'pack': 1, 'pack.inner': 1}
    import pack.inner
    assert pack.inner is inner


@case
def what_is_not_there_is_an_import_error():
    error = raises(ImportError, import_module, 'nowhere_at_all')
    if PYTHON2:
        assert str(error) == 'No module named nowhere_at_all'
    else:
        assert str(error) == "No module named 'nowhere_at_all'" and error.name == 'nowhere_at_all'
    for name in ('', '.', 'a..b', '.a', 'a.', 'nul\0byte', 'caf\udce9', 'nowhere.at.all', 'os.nowhere'):
        raises(ImportError, import_module, name)
    raises(ImportError, import_module, 'plain', path=['/nowhere', 'nul\0byte', ''])
    here = Directory()
    here.write('flat.py', '')
    raises(ImportError, import_module, 'flat.inner')


@case
def a_path_never_gives_a_module_from_elsewhere():
    here = Directory(on_path=False)
    raises(ImportError, import_module, 'os', path=[here.path])
    raises(ImportError, import_module, 'sys', path=[here.path])
    here.write('os.py', 'mine = True\n')
    assert import_module('os', path=[here.path]).mine
    assert import_module('os', path=[here.path]) is not os and sys.modules['os'] is os
    assert import_module('os') is os
    assert import_module('sys') is sys


@case
def an_iterator_as_path_showed_nothing_in_the_log():
    here = Directory(on_path=False)
    for number, (autoreload, log) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        for kind, path in (('list', iter([here.path])), ('generator', (part for part in ['/nowhere', here.path]))):
            name = '%s%d' % (kind, number)
            here.write('given_%s/__init__.py' % name, 'value = 1\n')
            here.write('given_%s/part.py' % name, 'value = 2\n')
            module = import_module('given_%s.part' % name, autoreload, log, path)
            assert module.value == 2 and sys.modules['given_' + name].value == 1
            again = import_module('given_%s.part' % name, autoreload, log, (part for part in [here.path]))
            assert again is module
    assert len(lines()) == 8 and all(repr(here.path) in line for line in lines()), lines()


@case
def bytes_and_path_objects_were_no_directories():
    here = Directory(on_path=False)
    here.write('pointed.py', '')
    module = import_module('pointed', path=here.path)
    ways = [os.fsencode(here.path), [os.fsencode(here.path)]] if not PYTHON2 else [unicode(here.path)]
    if not PYTHON2:
        import pathlib
        ways += [pathlib.Path(here.path), [pathlib.Path(here.path)], (pathlib.Path('/nowhere'), here.key(''))]

        class Failing(object):
            def __fspath__(self):
                raise KeyboardInterrupt

        raises(KeyboardInterrupt, import_module, 'pointed', path=Failing())
    for way in ways:
        assert import_module('pointed', path=way) is module, way
        assert import_module('pointed', 0, 1, way) is module, way
    raises(TypeError, import_module, 'pointed', path=3)
    raises(TypeError, import_module, 'pointed', path=object())


@case
def inspect_knew_no_signature():
    if PYTHON2:
        return  # Its functions of C have none.
    import inspect
    assert str(inspect.signature(import_module)) == '(module_name, autoreload=1, log=0, path=None)'
    assert import_module.__doc__.startswith('The module of that name')


@case
def a_file_that_is_gone_goes_on_being_served():
    here = Directory()
    file = here.write('gone.py', '')
    module = import_module('gone')
    os.unlink(file)
    assert import_module('gone') is module
    here.write('gone.py', 'back = 1\n')
    assert import_module('gone').back == 1


@case
def names_and_paths_that_are_not_utf8():
    here = Directory(on_path=False)
    folder = os.path.join(here.path, b'caf\xe9' if PYTHON2 else os.fsdecode(b'caf\xe9'))
    os.mkdir(folder)
    with open(os.path.join(folder, 'latin.py'), 'w') as out:
        out.write('value = 1\n')
    module = import_module('latin', path=[folder])
    assert module.value == 1 and import_module('latin', path=[folder]) is module


@case
def windows_ends_of_lines_were_an_error_before_27():
    here = Directory(on_path=False)
    for text in ('value = """1\r\n2"""\r\nif value:\r\n    found = 1', 'found = 1 # and no end', 'found = 1\r'):
        with open(here.file('edited.py'), 'wb') as out:
            out.write(text.encode('ascii'))
        module = import_module('edited', path=[here.path])
        assert module.found == 1 and getattr(module, 'value', '1\n2') == '1\n2'
        del sys.modules['edited']
        os.unlink(here.file('edited.py'))


@case
def a_module_that_replaces_itself():
    here = Directory()
    here.write('swapped.py', 'import sys\nclass Other(object):\n  pass\nsys.modules[__name__] = Other()\n')
    module = import_module('swapped')
    assert type(module).__name__ == 'Other' and import_module('swapped') is module


@case
def an_extension_module_and_bytecode_alone():
    import py_compile
    import sysconfig
    here = Directory()
    file = here.write('compiled.py', 'value = 5\n')
    py_compile.compile(file, cfile=here.file('compiled.pyc'))
    os.unlink(file)
    module = import_module('compiled')
    assert module.value == 5 and import_module('compiled') is module
    dynload = sysconfig.get_path('platstdlib') + '/lib-dynload'
    # Which modules are files of their own is another with each build of Python.
    there = set(name.split('.')[0] for name in os.listdir(dynload)) if os.path.exists(dynload) else ()
    for name in [name for name in ('_json', '_queue', '_lsprof', '_zoneinfo') if name in there][:1]:
        module = import_module(name, path=[dynload])
        assert module is import_module(name, path=[dynload])


@case
def a_traceback_shows_the_lines_of_the_shim():
    import traceback
    try:
        import_module('found_nowhere')
    except ImportError:
        text = traceback.format_exc()
    assert 'raise compat.not_found(name)' in text, text


run()

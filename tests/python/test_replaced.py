"""An import gives the object that code of a site, or the module's own, has put into sys.modules in the place of a
module; and a folder without code hides no module."""

import os
import sys
import types

from harness import PYTHON2, Directory, Request, apache, case, import_module, private_name, raises, run, runs, together

SELF = 'import sys\nclass Other(object):\n    value = "other"\nvalue = "file"\ndef setup():\n    sys.modules[__name__] = Other()\n'
PAGE = 'import %(name)s\ndef handler():\n    import %(name)s\n    return %(name)s.value\n' \
       'def setup():\n    import %(name)s\n    getattr(%(name)s, "setup", lambda: None)()\n'


def page(here, name='page'):
    return apache.CallBack().HandlerDispatch(Request(name, here.path))


def sites(count, files):
    made = [Directory(False) for _ in range(count)]
    for here in made:
        for name, text in files.items():
            here.write(name + '.py', text)
    return made


class Instead(object):
    """Something else in sys.modules for the time of a block."""

    def __init__(self, name, module):
        self.name, self.module = name, module

    def __enter__(self):
        self.before = sys.modules[self.name]
        sys.modules[self.name] = self.module

    def __exit__(self, *_):
        sys.modules[self.name] = self.before


@case
def a_module_replaces_itself_during_a_request():
    """Each later import of it, of 32 clients say, took a processor for ever."""
    for here in sites(2, {'page': PAGE % {'name': 'itself'}, 'itself': SELF}):
        one = page(here)
        assert one.handler() == 'file'
        one.setup()
        assert [result.get() for result in together(*[one.handler] * 8)] == ['other'] * 8
        assert page(here).handler() == 'other'
        assert import_module('itself', path=[here.path]).value == 'other'
        assert import_module('itself', path=[here.path], autoreload=0).value == 'other'


@case
def a_module_that_puts_none_in_its_own_place():
    """It was looked for 1000 times."""
    here = Directory()
    here.write('nothing.py', 'import harness, sys\nharness.ran("nothing")\nsys.modules[__name__] = None\n')
    error = raises(ImportError, import_module, 'nothing')
    assert 'has put None into sys.modules' in str(error), error
    assert runs['nothing'] == 1 and 'nothing' not in sys.modules, runs


@case
def a_plain_call_left_the_old_module_under_its_private_name():
    here = Directory()
    private = private_name(here.write('lazy.py', 'value = "file"\n'))
    module = import_module('lazy', path=[here.path])
    assert __import__(private) is module and module.value == 'file' and module.__name__ == 'lazy'
    here.write('lazy.py', SELF + 'setup()\n')
    other = import_module('lazy')
    assert other.value == 'other' and __import__(private) is other


@case
def what_replaced_a_module_is_no_place_for_its_code():
    for here in sites(2, {'page': PAGE % {'name': 'later'}, 'later': SELF}):
        one = page(here)
        one.setup()
        other = import_module('later', path=[here.path])
        assert other.value == 'other'
        here.write('later.py', 'value = "new"\n')
        assert import_module('later', path=[here.path]).value == 'new'
        assert other.value == 'other'


@case
def another_module_stands_under_the_name():
    here, = sites(1, {'page': PAGE % {'name': 'stood_in'}, 'stood_in': 'value = "file"\n'})
    one = page(here)
    stand_in = types.ModuleType('stood_in')
    stand_in.value = 'stand-in'
    imported = sys.modules['types']
    for module in stand_in, SELF_LESS, imported:
        with Instead('stood_in', module):
            if module is imported:
                assert import_it(here, 'stood_in') is imported
            else:
                assert one.handler() == module.value
    assert one.handler() == 'file'
    with Instead('stood_in', None):
        try:
            one.handler()
        except ImportError:
            pass
        else:
            raise AssertionError('it was blocked')
    assert one.handler() == 'file'


class SELF_LESS(object):
    """No module at all."""
    value = 'class'


def import_it(here, name):
    here.write('importer_of_it.py', 'def get():\n    import %s\n    return %s\n' % (name, name))
    return page(here, 'importer_of_it').get()


@case
def a_part_of_a_package_stands_under_its_name():
    here, = sites(1, {'whole/__init__': '', 'whole/part': 'value = "file"\n'})
    assert import_module('whole.part', path=[here.path]).value == 'file'
    with Instead('whole.part', SELF_LESS):
        assert import_module('whole.part', path=[here.path]).value == 'class'
    # Of the name that has been taken out, the file is loaded.
    del sys.modules['whole.part']
    assert import_module('whole.part', path=[here.path]).value == 'file'


@case
def a_folder_without_code_hides_no_module():
    if PYTHON2:
        return
    first = 'import os, sys\nsys.path.append(os.path.dirname(__file__) + "/lib")\n'
    here, = sites(1, {'page': first + 'import folder\nvalue = folder.value\n',
                      'other': first + 'import shared.a, shared.b\nvalue = shared.a.value + shared.b.value\n',
                      'lib/folder': 'value = "module"\n', 'shared/a': 'value = "a"\n', 'lib/shared/b': 'value = "b"\n'})
    os.mkdir(here.file('folder'))
    open(here.file('folder/readme.txt'), 'w').close()
    assert page(here).value == 'module'
    assert page(here, 'other').value == 'ab'


@case
def folders_of_one_name_in_two_sites_stay_apart():
    if PYTHON2:
        return
    north, south = sites(2, {'page': 'import apart.a\nvalue = apart.a.value\n'})
    for here in (north, south):
        here.write('apart/a.py', 'value = %r\n' % here.path)
    for here in (north, south, north):
        assert page(here).value == here.path


@case
def bytecode_that_is_to_be_used_unchecked_is_used():
    if PYTHON2:
        return
    import py_compile
    here, = sites(1, {'page': 'import unchecked\nvalue = unchecked.value\n', 'unchecked': 'value = "bytecode"\n'})
    py_compile.compile(here.file('unchecked.py'), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    with open(here.file('unchecked.py'), 'w') as source:
        source.write('value = "source"\n')
    assert page(here).value == 'bytecode'


FACADE = '''
import harness, sys
harness.ran(__name__)
class Facade(object):
    %s
    version = %d
sys.modules[__name__] = Facade()
'''


@case
def a_facade_was_run_in_as_if_it_were_the_module():
    here = Directory()
    for body in ('pass', '__slots__ = ()', 'def __getattr__(self, name):\n        raise AttributeError(name)'):
        runs.clear()
        here.write('facade.py', FACADE % (body, 1))
        first = import_module('facade')
        assert first.version == 1 and import_module('facade') is first
        builtins = sys.modules['__builtin__' if PYTHON2 else 'builtins']
        here.write('facade.py', FACADE % (body, 2))
        second = import_module('facade')
        assert second.version == 2 and second is not first, body
        assert import_module('facade') is second and sys.modules['facade'] is second
        assert sys.modules['__builtin__' if PYTHON2 else 'builtins'] is builtins and builtins.__dict__.get('len')
        assert runs == {'facade': 2}
        del sys.modules['facade']


@case
def a_failed_reload_left_sys_modules_changed():
    here = Directory()
    here.write('facade.py', FACADE % ('pass', 1))
    first = import_module('facade')
    here.write('facade.py', FACADE % ('pass', 2) + 'raise ValueError\n')
    for _ in range(2):
        raises(ValueError, import_module, 'facade')
        assert sys.modules['facade'] is first and import_module('facade', autoreload=0) is first
    here.write('plain.py', 'value = 1\n')
    plain = import_module('plain')
    here.write('plain.py', 'import sys\nsys.modules[__name__] = 5\nraise ValueError\n')
    raises(ValueError, import_module, 'plain')
    assert sys.modules['plain'] is plain and plain.value == 1
    here.write('plain.py', 'import sys\ndel sys.modules[__name__]\n')
    assert 'out of sys.modules' in str(raises(ImportError, import_module, 'plain'))
    assert sys.modules['plain'] is plain and plain.value == 1


@case
def a_stub_that_hands_over_ran_twice_for_one_change():
    stubs, real = Directory(False), Directory()
    real.write('handed.py', 'value = 1\n')
    text = 'import harness, sys\nharness.ran("stub")\ndel sys.modules[__name__]\n' \
        'from mod_python import apache\nsys.modules[__name__] = apache.import_module("handed", path=[%r])\n' % real.path
    stubs.write('handed.py', text)
    first = import_module('handed', path=[stubs.path])
    assert first.value == 1 and first.__file__ == real.file('handed.py')
    assert import_module('handed', path=[stubs.path]) is first and runs == {'stub': 1}
    stubs.write('handed.py', text + 'changed = True\n')
    for _ in range(3):
        assert import_module('handed', path=[stubs.path]).value == 1
    assert runs == {'stub': 2}


@case
def a_stub_that_imports_the_real_module_of_its_name_ran_twice_for_one_change():
    stubs, real = Directory(), Directory(False)
    real.write('handed.py', 'value = 1\n')
    text = 'import harness, sys\nharness.ran("stub")\ndel sys.modules[__name__]\nsys.path.insert(0, %r)\n' \
        'import handed\nsys.modules[__name__] = handed\ndel sys.path[0]\n' % real.path
    stubs.write('handed.py', text)
    for ask in (lambda: import_module('handed', path=[stubs.path]), lambda: import_module('handed')):
        assert ask().value == 1 and ask().__file__ == real.file('handed.py')
    stubs.write('handed.py', text + 'changed = True\n')
    for _ in range(3):
        assert import_module('handed', path=[stubs.path]).value == 1
    assert runs == {'stub': 2}, runs


run()

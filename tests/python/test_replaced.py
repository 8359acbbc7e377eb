"""What code of a site has put into sys.modules in the place of a module is what an import gives, as ever; and what has no
code hides nothing that has some."""

import os
import sys
import types

from harness import PYTHON2, Directory, Request, apache, case, import_module, run, together

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


run()

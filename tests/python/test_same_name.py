"""Files of one name in several directories (I7), and where dispatchers want theirs from."""

import os
import sys

from harness import Directory, Request, apache, case, import_module, lines, raises, run, runs, together
from mod_python import wsgi

SOURCE = 'import harness\nharness.ran(__file__)\nwhere = __file__\n'


class Filter(object):
    def __init__(self, handler, directory):
        self.handler = handler
        self.dir = directory
        self.req = Request('something_else', '/')


class Connection(object):
    def __init__(self, handler, **config):
        self.handler = handler
        self.config = config


callback = apache.CallBack()


def handle(handler, directory, *args, **config):
    return callback.HandlerDispatch(Request(handler, directory, *args, **config))


@case
def each_directory_reaches_its_own_file():
    one, two = Directory(False), Directory(False)
    files = [here.write('index.py', SOURCE) for here in (one, two)]
    for _ in range(3):
        for here, file in zip((one, two), files):
            assert handle('index', here.path + '/').where == file
            assert handle('index', here.path).where == file
    assert sorted(runs.items()) == sorted((file, 1) for file in files)
    first, second = handle('index', one.path), handle('index', two.path)
    assert first.__name__ == 'index' and sys.modules['index'] is first
    assert second.__name__ != 'index' and sys.modules[second.__name__] is second
    two.write('index.py', SOURCE + 'value = 2\n')
    assert handle('index', two.path) is second and second.value == 2
    assert not hasattr(handle('index', one.path), 'value')
    assert runs[files[0]] == 1 and runs[files[1]] == 2


@case
def a_directory_without_the_file_is_served_from_sys_path():
    one, two = Directory(), Directory(False)
    file = one.write('shared.py', SOURCE)
    assert handle('shared', two.path).where == file
    assert import_module('shared') is handle('shared', two.path)
    assert runs == {file: 1}


@case
def a_handler_may_have_the_name_of_a_module_of_python():
    here = Directory(False)
    here.write('code.py', SOURCE)
    import code
    mine = handle('code', here.path)
    assert mine is not code and mine.where == here.file('code.py')
    assert sys.modules['code'] is code and import_module('code') is code


@case
def wsgi_applications_and_filters_too():
    one, two = Directory(False), Directory(False)
    for here in (one, two):
        here.write('app.py', SOURCE)
    assert [wsgi.handler(Request('app', here.path)).where for here in (one, two)] == [
        here.file('app.py') for here in (one, two)]
    assert [callback.FilterDispatch(Filter('app', here.path)).where for here in (two, one)] == [
        here.file('app.py') for here in (two, one)]


@case
def locations_and_calls_without_a_directory_use_sys_path():
    here = Directory()
    file = here.write('located.py', SOURCE)
    assert handle('located', '/located', True).where == file
    assert handle('located', None).where == file
    assert callback.ConnectionDispatch(Connection('located')).where == file
    assert callback.ImportDispatch('located').where == file
    assert import_module('located').where == file
    assert runs == {file: 1}


@case
def each_python_path_expression_has_its_own_list():
    one, two = Directory(False), Directory(False)
    for here in (one, two):
        here.write('entry.py', SOURCE)
    expressions = ['sys.path + [%r]' % here.path for here in (one, two)]
    for here, expression in zip((one, two), expressions):
        sys.path[:] = eval(expression)
        assert handle('entry', '/', PythonPath=expression).where == here.file('entry.py')
        assert callback.ConnectionDispatch(Connection('entry', PythonPath=expression)).where == here.file('entry.py')
    assert handle('entry', '/', PythonPath=expressions[0]).where == one.file('entry.py')


@case
def two_files_of_one_name_load_at_the_same_time():
    source = 'import harness\nharness.meet()\nwhere = __file__\n'
    directories = [Directory(False) for _ in range(4)]
    for here in directories:
        here.write('same.py', source)
    import harness
    # Each load waits until all four are under way: one after the other they would never end.
    harness.meet = harness.Barrier(4).wait
    results = together(*[lambda here=here: import_module('same', path=[here.path]) for here in directories])
    modules = [result.get() for result in results]
    assert [module.where for module in modules] == [here.file('same.py') for here in directories]
    assert len(set(module.__name__ for module in modules)) == 4


@case
def packages_of_one_name():
    one, two = Directory(False), Directory(False)
    for here in (one, two):
        here.write('site_code/__init__.py', SOURCE)
        here.write('site_code/page.py', SOURCE + 'from . import part\n')
        here.write('site_code/part.py', SOURCE)
    for here in (one, two, one):
        page = handle('site_code.page', here.path)
        assert page.where == here.file('site_code/page.py')
        assert page.part.where == here.file('site_code/part.py')


@case
def symbolic_links_keep_their_own_modules():
    one, two = Directory(False), Directory(False)
    one.write('linked.py', SOURCE)
    os.symlink(one.file('linked.py'), two.file('linked.py'))
    modules = [import_module('linked', path=[here.path]) for here in (one, two)]
    assert [module.__file__ for module in modules] == [one.file('linked.py'), two.file('linked.py')]
    assert modules[0] is not modules[1]
    one.write('linked.py', SOURCE + 'value = 2\n')
    assert [import_module('linked', path=[here.path]).value for here in (two, one)] == [2, 2]
    source = SOURCE + 'import harness, threading\nharness.inside.append(1)\nassert len(harness.inside) == 1\n' \
        'import time\ntime.sleep(0.05)\nharness.inside.pop()\n'
    import harness
    harness.inside = []
    one.write('linked.py', source)
    results = together(*[lambda here=here: import_module('linked', path=[here.path]) for here in (one, two) * 4])
    for result in results:
        result.get()


ASKS = '''import harness, sys
def helper(**keywords):
    return harness.import_module("helper", **keywords)
def plainly():
    import helper
    return helper
def part():
    return harness.import_module("tools.part")
def path():
    return harness.import_module("posixpath")
'''


@case
def import_module_in_a_page_gave_the_first_directorys_module():
    sites = [Directory(False), Directory(False)]
    for here in sites:
        here.write('asks.py', ASKS)
        here.write('helper.py', SOURCE)
        here.write('posixpath.py', SOURCE)
        here.write('tools/__init__.py', '')
        here.write('tools/part.py', SOURCE)
    for here in sites + sites:
        page = handle('asks', here.path + '/')
        for ask, file in ((page.helper, 'helper.py'), (page.plainly, 'helper.py'), (page.part, 'tools/part.py')):
            assert ask().where == here.file(file), (ask().where, file)
        assert page.helper() is page.plainly() and page.helper(autoreload=0) is page.helper()
        # A module that Python has imported belongs to no directory.
        assert page.path() is os.path
    assert [runs[here.file(name)] for here in sites for name in ('helper.py', 'tools/part.py')] == [1] * 4
    # It looks for changes, as ever, and says so where it is asked to.
    page = handle('asks', sites[1].path)
    sites[1].write('helper.py', SOURCE + 'value = 2\n')
    assert page.helper(log=1).value == 2 and not hasattr(handle('asks', sites[0].path).helper(), 'value')
    assert "mod_python: (Re)importing module 'helper'" in lines(apache.APLOG_NOERRNO | apache.APLOG_NOTICE)


@case
def a_page_asks_for_what_its_directory_does_not_have():
    one, two = Directory(False), Directory(False)
    for here in (one, two):
        here.write('lends.py', 'import harness\ndef lent():\n    return harness.import_module("lent")\n')
        sys.path.append(here.path)
    one.write('lent.py', SOURCE)
    pages = [handle('lends', here.path) for here in (one, two)]
    assert [page.lent().where for page in pages] == [one.file('lent.py')] * 2
    # It has one from now on.
    two.write('lent.py', SOURCE)
    assert [page.lent().where for page in pages] == [here.file('lent.py') for here in (one, two)]
    raises(ImportError, import_module, 'lendsnothing')


@case
def a_page_asks_for_a_name_that_is_no_text():
    """On Python 2 any bytes are one: an error without an exception."""
    here = Directory(False)
    here.write('odd.py', 'import harness\ndef ask(name):\n    return harness.import_module(name)\n'
                         'def plainly(name):\n    return __import__(name)\n')
    page = handle('odd', here.path)
    for name in 'caf\xe9', 'caf\xe9.x', 'x.caf\xe9', u'caf\xe9', '\udce9', 'a b', '.', '', ' ', '.odd', 'odd..x':
        for ask in page.ask, page.plainly:
            try:
                found = ask(name)
            except (ImportError, UnicodeError, ValueError):
                continue
            raise AssertionError((name, ask, found))


@case
def a_failed_first_load_gives_the_name_back():
    one, two = Directory(False), Directory(False)
    one.write('name_free.py', '1 / 0\n')
    two.write('name_free.py', SOURCE)
    raises(ZeroDivisionError, import_module, 'name_free', path=[one.path])
    assert import_module('name_free', path=[two.path]).__name__ == 'name_free'


@case
def a_package_that_extends_its_path_in_a_second_directory():
    text = 'import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)\nwhere = __file__\n'
    page = ('import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), "more"))\n'
            'import stretched\nimport stretched.part\nwhere = stretched.part.where\n')
    for _ in range(3):
        here = Directory(False)
        here.write('extends.py', page)
        here.write('stretched/__init__.py', text)
        part = here.write('more/stretched/part.py', 'where = __file__\n')
        here.write('more/stretched/__init__.py', text)
        one = handle('extends', here.path)
        assert (one.where, one.stretched.where) == (part, here.file('stretched/__init__.py')), (one.where, one.stretched.where)
        own = [os.path.dirname(here.file('stretched/x')), os.path.dirname(here.file('more/stretched/x'))]
        assert one.stretched.__path__ == own, one.stretched.__path__


run()

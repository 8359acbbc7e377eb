"""Two applications in one interpreter never mix (I12), and private names lead to their files (I7)."""

import os
import pickle
import sys

from harness import PYTHON2, Directory, Request, apache, ask, case, import_module, private_name, raises, run, runs, sites
from harness import together

CallBack = apache.CallBack
SOURCE = 'import harness\nharness.ran(__file__)\nwhere = __file__\n'


@case
def south_got_norths_helper():
    north, south = sites(index='import harness\ndef page():\n  import helper\n  return helper.site\n'
                         'import helper\nsite = helper.site\n', helper='site = %(site)r\n')
    for here in (north, south):
        sys.path.insert(0, here.path)
    assert [ask('index', here).site for here in (north, south)] == ['north', 'south']
    assert [ask('index', here).page() for here in (north, south, north)] == ['north', 'south', 'north']
    helpers = [ask('helper', here) for here in (north, south)]
    assert [helper.site for helper in helpers] == ['north', 'south']
    assert sys.modules['helper'] is helpers[0]


@case
def in_each_order_and_by_each_kind_of_statement():
    statements = {'plain': 'import tools\nsite = tools.site\n',
                  'renamed': 'import tools as t\nsite = t.site\n',
                  'part': 'from tools import site\n',
                  'star': 'from tools import *\n',
                  'dotted': 'import deep.inner\nsite = deep.inner.site\n',
                  'dotted_part': 'from deep.inner import site\n',
                  'called': 'site = __import__("tools").site\n'}
    north, south = sites(tools='site = %(site)r\n', deep____init__='', deep__inner='site = %(site)r\n')
    for name, text in statements.items():
        for here in (north, south):
            here.write(name + '.py', text)
    for name in statements:
        for here, site in ((south, 'south'), (north, 'north'), (south, 'south')):
            sys.path[:0] = [north.path, south.path]
            assert ask(name, here).site == site, (name, site)


@case
def a_package_that_imports_itself_by_its_absolute_name_gets_itself():
    here = sites(shop____init__='', shop__models='site = %(site)r\n',
                 shop__views='from __future__ import absolute_import\nfrom shop.models import site\n'
                 'def later():\n  import shop.models\n  return shop.models.site\n')
    for _ in range(2):
        for one, site in zip(here, ('north', 'south')):
            views = ask('shop.views', one)
            assert (views.site, views.later()) == (site, site)


@case
def what_a_directory_does_not_have_is_imported_as_always():
    north, south = sites(index='import json, only_on_path\nwhere = only_on_path.__file__\n')
    server = Directory()
    file = server.write('only_on_path.py', '')
    import json
    for here in (north, south):
        module = ask('index', here)
        assert module.json is json and module.where == file
    assert sys.modules['only_on_path'].__name__ == 'only_on_path'


@case
def modules_that_import_each_other_plainly():
    north, south = sites(first='site = %(site)r\nimport second\ndef other():\n  return second.site\n',
                         second='site = %(site)r\nimport first\ndef other():\n  return first.site\n')
    calls = [lambda name=name, here=here: ask(name, here).other() for _ in range(4)
             for here in (north, south) for name in ('first', 'second')]
    assert [result.get() for result in together(*calls)] == ['north', 'north', 'south', 'south'] * 4


@case
def a_page_does_not_become_the_standard_module():
    here, other = sites(sndhdr='page = %(site)r\n', wave='page = %(site)r\n')
    assert ask('wave', here).page == 'north'
    import wave
    assert not hasattr(wave, 'page') and ask('wave', here) is not wave
    assert ask('wave', other).page == 'south'


@case
def a_folder_or_file_hid_what_is_built_in():
    """A folder `math` of pages beside a page that imports math: 500."""
    for name in 'zlib', 'math', 'array', 'select', 'unicodedata', 'ntpath':
        if name not in sys.builtin_module_names:
            continue
        for files in ({name + '/index.html': ''}, {name + '.py': 'mine = True\n'}):
            here = Directory()
            for file, text in files.items():
                here.write(file, text)
            here.write('asks.py', 'import %s\ndef get():\n    import %s\n    return %s\n' % (name, name, name))
            kept = sys.modules.pop(name, None)
            page = ask('asks', here)
            found = page.get(), getattr(page, name), import_module(name)
            if kept is not None:
                sys.modules[name] = kept
            assert not [one for one in found if hasattr(one, 'mine') or getattr(one, '__path__', None)], (name, found)
            sys.path.remove(here.path)


@case
def a_folder_in_path_hid_a_module():
    """With mod_python 3.5, whose stock function ignores `path`."""
    if PYTHON2:
        return
    import json
    search = sys.modules['modpython_core.search']
    kept, search.goes_on_elsewhere = search.goes_on_elsewhere, True
    try:
        here = Directory(False)
        for name in 'json', 'time', 'only_here':
            here.write(name + '/i.html', '')
        assert import_module('json', path=[here.path]) is json
        assert import_module('time', path=[here.path]) is sys.modules['time']
        assert list(import_module('only_here', path=[here.path]).__path__) == [here.file('only_here')]
    finally:
        search.goes_on_elsewhere = kept


@case
def one_file_is_one_module_for_a_plain_import_too():
    if PYTHON2:
        return  # Its finders run while nothing keeps others out of the import; see docs/import_module.md.
    north, south = sites(twice='import harness\nharness.ran(__file__)\nsite = %(site)r\n')
    modules = [ask('twice', here) for here in (north, south)]
    del sys.modules['twice']
    sys.path.insert(0, south.path)
    import twice
    assert twice is modules[1] and runs[south.file('twice.py')] == 1
    assert twice.__spec__.name == twice.__name__ != 'twice'


def site(where, files):
    """A handler's directory, asked as a dispatcher asks, and its page."""
    here = Directory(False)
    for name, text in files.items():
        here.write(name, text % {'site': where})
    return here, lambda: CallBack().HandlerDispatch(Request('page', here.path + '/'))


PUTS_FIRST = ('import os, sys\nfirst = os.path.join(os.path.dirname(__file__), "lib")\n'
              'if first not in sys.path:\n  sys.path.insert(0, first)\nimport tool\ngot = tool.got\n'
              'def later():\n  import tool\n  return tool.got\n')


@case
def what_a_page_had_put_first_into_sys_path_came_last():
    files = {'page.py': PUTS_FIRST, 'tool.py': 'got = "beside"\n', 'lib/tool.py': 'got = %(site)r\n'}
    for where, (here, asked) in [(where, site(where, files)) for where in ('north', 'south')]:
        assert (asked().got, asked().later()) == (where, where), where


@case
def pickles_of_what_was_put_first():
    here, asked = site('north', {'page.py': PUTS_FIRST, 'tool.py': '', 'lib/tool.py': 'got = 1\nclass Item(object):\n  pass\n'})
    data = pickle.dumps(asked().tool.Item(), 2)
    # In another process, where the page has been asked for and the class has not.
    siblings = sys.modules['modpython_core.siblings']
    for known in siblings._directories, siblings._put_first:
        known.remove(here.file('lib'))
    for name in [name for name, module in sys.modules.items()
                 if (getattr(module, '__file__', None) or '').startswith(here.path)]:
        del sys.modules[name]
    here.write('page.py', PUTS_FIRST.replace('import tool\ngot = tool.got\n', 'import pickle\n')
               + 'def read(data):\n  return pickle.loads(data)\n')
    page = asked()
    module = sys.modules[type(page.read(data)).__module__]
    assert module.__file__.startswith(here.file('lib/')) and page.later() == 1


@case
def a_handlers_directory_below_another_is_not_put_first():
    here, asked = site('north', {'page.py': 'def later():\n  import tool\n  return tool.got\n', 'tool.py': 'got = %(site)r\n',
                               'sub/page.py': 'import tool\ngot = tool.got\n', 'sub/tool.py': 'got = "below"\n'})
    page = asked()
    # As the dispatcher of another thread has just put it there, and we have not heard of it.
    sys.path.insert(0, here.file('sub') + '/')
    assert page.later() == 'north'
    assert CallBack().HandlerDispatch(Request('page', here.file('sub') + '/')).got == 'below'
    assert (page.later(), asked().later()) == ('north', 'north')


@case
def what_one_site_has_put_first_is_not_the_others():
    files = {'page.py': 'def later():\n  import tool\n  return tool.got\n', 'tool.py': 'got = %(site)r\n'}
    (south, ask_south), (north, ask_north) = site('south', files), site('north', files)
    page = ask_south()
    north.write('lib/tool.py', 'got = "lib of north"\n')
    ask_north()
    sys.path.insert(0, north.file('lib'))
    assert page.later() == 'south'


@case
def a_directory_that_sys_path_has_with_a_slash_did_not_count():
    files = {'page.py': 'def later():\n  import of_server\n  return of_server.got\n', 'of_server.py': 'got = %(site)r\n'}
    (_, ask_north), (_, ask_south) = site('north', files), site('south', files)
    server, finding = Directory(False), sys.modules['modpython_core.finding']
    server.write('of_server.py', 'got = "server"\n')
    finding.original_path.append(server.path)
    try:
        # The dispatchers give their directories a slash. South's comes first in sys.path now.
        north, south = ask_north(), ask_south()
        assert (north.later(), south.later()) == ('north', 'south')
    finally:
        finding.original_path.remove(server.path)


@case
def what_a_failed_package_left_was_another_packages_part():
    north, south = sites(broken____init__='import broken.sub\nif %(site)r == "north":\n  raise ValueError\n',
                         broken__sub='site = %(site)r\n')
    raises(ValueError, ask, 'broken', north)
    # Python 3 leaves the parts of a package that fails, and Python 2 would not find them again.
    left = [name for name in sys.modules if name.startswith('broken')]
    assert left == (['broken.sub'] if sys.version_info[0] > 2 else []), left
    assert ask('broken.sub', south).site == 'south'
    # And what somebody else has entered under the name of a part, from elsewhere.
    third = Directory(False)
    third.write('broken/sub.py', 'site = "third"\n')
    third.write('broken/__init__.py', '')
    sys.modules['broken.sub'] = ask('broken.sub', third)
    assert ask('broken.sub', south).site == 'south'


@case
def a_name_is_free_when_its_module_has_gone():
    north, south = sites(index=SOURCE)
    first = ask('index', north)
    del sys.modules['index']
    assert ask('index', south).__name__ == 'index'
    again = ask('index', north)
    assert again is not first and again.__name__ != 'index'


@case
def private_names_lead_back_to_their_paths():
    names = sys.modules['modpython_core.names']
    paths = ['/srv/www/a-b_c/index.py', '/x/y.z/__init__.py', '/_s/_d.py', '/caf\xc3\xa9/p q.py', '/%/%25.py']
    if not PYTHON2:
        paths.append(os.fsdecode(b'/caf\xe9/x.py'))
    for path in paths:
        name = names.PREFIX + names.encode(path)
        assert names.decode(name) == path and '.' not in name and '/' not in name
    for wrong in ('_mp_x_', '_mp__q', '_mp__x4', 'index'):
        assert names.decode(wrong) is None
    raises(ImportError, __import__, '_mp__snowhere_sat_sall_dpy')


@case
def a_private_name_leads_to_handlers_directories_alone():
    # A page may import what a request names, once it has seen that it is letters and underscores.
    here, uploads = Directory(), Directory()
    here.write('page.py', 'import pickle\ndef get(name):\n    return __import__(name)\n')
    uploads.write('upload.py', 'import harness\nharness.ran(__name__)\n')
    uploads.write('pack/__init__.py', 'import harness\nharness.ran(__name__)\n')
    page = ask('page', here)
    for file in ('upload.py', 'pack/__init__.py'):
        name = private_name(uploads.file(file))
        raises(ImportError, page.get, name)
        raises(ImportError, __import__, name)
        assert name not in sys.modules and name not in runs
    # The page's own, and what is beside it.
    assert page.get(private_name(here.file('page.py'))) is page
    upload = ask('upload', uploads)
    assert page.get(private_name(uploads.file('upload.py'))) is upload


run()

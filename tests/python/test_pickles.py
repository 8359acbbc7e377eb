"""A pickle of one process is read in another as a class of the same file (I7); single directories are as ever."""

import io
import pickle
import sys

from harness import PYTHON2, Directory, ask, case, private_name, raises, run, sites

if PYTHON2:
    import cPickle
    from StringIO import StringIO


PAGES = {'index': '''
import pickle, sys
import models
class User(object):
    class Inner(object):
        pass
    def __init__(self):
        self.inner = (User.Inner if sys.version_info[0] > 2 else int)()
class Only_%(site)s(object):
    pass
def function():
    pass
def dump(protocol, module=pickle):
    return module.dumps([User(), function, models.Item(), Only_%(site)s()], protocol)
def load(data, module=pickle):
    return module.loads(data)
''', 'models': 'class Item(object):\n  site = %(site)r\n'}


def anew(north, south, order):
    """The pages as in a process that was asked for the directories in that order."""
    for name in [name for name, module in sys.modules.items()
                 if (getattr(module, '__file__', None) or '').startswith((north.path, south.path))]:
        del sys.modules[name]
    pages = dict((here, ask('index', here)) for here in order)
    if len(order) > 1:
        assert [pages[here].models.Item.site for here in (north, south)] == ['north', 'south']
    return pages


def pickled(pages):
    """The pickles of each page, in several ways."""
    data = [(here, page.dump(protocol)) for here, page in pages.items() for protocol in (0, 1, 2)]
    if PYTHON2:
        data.extend((here, page.dump(2, cPickle)) for here, page in pages.items())
    else:
        data.extend((here, page.dump(5)) for here, page in pages.items())
    return data


def reads():
    """The functions that pages read with."""
    yield lambda page, data: page.load(data)
    if PYTHON2:
        yield lambda page, data: page.load(data, cPickle)
        yield lambda page, data: eval('pickle.Unpickler(file).load()', vars(page), {'file': StringIO(data)})
        yield lambda page, data: eval('c.Unpickler(file).load()', vars(page), {'c': cPickle, 'file': StringIO(data)})
        yield lambda page, data: eval('c.load(file)', vars(page), {'c': cPickle, 'file': StringIO(data)})
    else:
        yield lambda page, data: eval('pickle.load(file)', vars(page), {'file': io.BytesIO(data)})
        yield lambda page, data: eval('pickle.Unpickler(file).load()', vars(page), {'file': io.BytesIO(data)})
        yield lambda page, data: eval('pickle._loads(data)', vars(page), {'data': data})


@case
def pickles_do_not_depend_on_which_directory_was_asked_for_first():
    north, south = sites(**PAGES)
    sys.path[:0] = [north.path, south.path]
    orders = (north, south), (south, north), (north,), (south,)
    for write in orders:
        data = pickled(anew(north, south, write))
        for read in orders:
            pages = anew(north, south, read)
            for here, each in data:
                if here in pages:
                    page = pages[here]
                    for load in reads():
                        user, function, item, only = load(page, each)
                        assert type(user) is page.User and (PYTHON2 or type(user.inner) is page.User.Inner), (write, read)
                        assert function is page.function and type(item) is page.models.Item, (write, read)


@case
def another_directorys_page_read_a_pickle():
    north, south = sites(**PAGES)
    for order in (north, south), (south, north):
        pages = anew(north, south, order)
        for site, here in (('north', north), ('south', south)):
            alone = anew(north, south, (here,))[here]
            data = alone.pickle.dumps(getattr(alone, 'Only_' + site)(), 2)
            pages = anew(north, south, order)
            for reader in pages.values():
                assert type(reader.load(data)) is getattr(pages[here], 'Only_' + site)
            raises(AttributeError, pages[north].load, data.replace(b'Only_', b'None_'))


@case
def a_page_saw_private_names_of_its_only_directory():
    here = sites(index='''
import inspect, m
found = [name for name, one in inspect.getmembers(m, inspect.isfunction) if one.__module__ == m.__name__]
plugins = [kind.__module__ for kind in m.Base.__subclasses__()]
registered = lambda: m.REGISTRY[m.User.__module__ + '.User']
''', m='''
from os.path import join
REGISTRY = {}
class Base(object):
    pass
class Meta(type):
    def __new__(meta, name, bases, names):
        made = type.__new__(meta, name, bases, names)
        REGISTRY[made.__module__ + '.' + name] = made
        return made
User = Meta('User', (Base,), {'__module__': __name__})
def ping():
    pass
def add():
    pass
''')[0]
    page = ask('index', here)
    assert page.found == ['add', 'ping'] and page.plugins == ['m'] and page.registered() is page.m.User
    assert (page.m.ping.__module__, page.m.User.__module__, page.registered.__module__) == ('m', 'm', 'index')
    assert not [name for name in sys.modules if name.startswith('_mp_') and 'index' in name and here.path[-6:] in name]
    assert b'_mp_' not in pickle.dumps([page.m.User, page.m.ping], 2)


@case
def what_another_process_has_pickled_under_a_private_name():
    here = sites(**PAGES)[0]
    sys.path.insert(0, here.path)
    page = ask('index', here)
    data = page.dump(0).replace(b'cindex\n', b'c%s\n' % private_name(here.file('index.py')).encode()) if not PYTHON2 else (
        page.dump(0).replace('cindex\n', 'c%s\n' % private_name(here.file('index.py'))))
    assert b'_mp_' in data and type(page.load(data)[0]) is page.User and pickle.loads(data)[1] is page.function


@case
def what_stock_has_pickled_is_still_read():
    north, south = sites(**PAGES)
    sys.path.insert(0, north.path)
    module = ask('index', north)
    old = b'ccopy_reg\n_reconstructor\np1\n(cindex\nUser\np2\nc__builtin__\nobject\np3\nNtRp4\n.'
    if not PYTHON2:
        old = old.replace(b'copy_reg', b'copyreg').replace(b'__builtin__', b'builtins')
    assert type(pickle.loads(old)) is module.User


@case
def a_single_directory_is_as_it_always_was():
    here = sites(**PAGES)[0]
    sys.path.insert(0, here.path)
    module = ask('index', here)
    assert module.__name__ == 'index' and sys.modules['index'] is module
    assert module.models.__name__ == 'models' and sys.modules['models'] is module.models


@case
def sessions_come_along_when_a_site_moves():
    text = ('import pickle\nclass Cart(object):\n    pass\n'
            'def write():\n    return pickle.dumps(Cart(), 2)\ndef read(data):\n    return pickle.loads(data)\n')
    old, new = Directory(), Directory()
    old.write('shop.py', text)
    new.write('shop.py', text)
    page = ask('shop', new)
    data = page.write()
    elsewhere = private_name(old.file('shop.py'))
    moved = data.replace(b'cshop\n', ('c%s\n' % elsewhere).encode())
    assert moved != data
    assert type(page.read(moved)) is page.Cart
    # Nor where the old one is still there.
    assert sys.modules[elsewhere] is page


READER = '''
import pickle, sys
try:
    import cPickle as native
except ImportError:
    native = pickle
class Serializer(object):
    dumps = staticmethod(native.dumps)
    loads = native.loads
class Framed(object):
    def __init__(self):
        self.value = 1
    def __setstate__(self, state):
        self.caller = sys._getframe(1).f_code.co_name
def read():
    return Serializer().loads(native.dumps(3)), native.loads(native.dumps(Framed(), 2)).caller
def of_a_file():
    import io
    return native.load(io.BytesIO(native.dumps(Framed(), 2))).caller if sys.version_info[0] > 2 else 'of_a_file'
def itself():
    return native.loads(native.dumps(native.loads)) is native.loads and native.loads(native.dumps(native.load)) is native.load
def errors():
    texts = []
    for given in (None,), ('x', 2), (), (5,):
        try:
            native.loads(*given)
        except Exception as error:
            texts.append((type(error).__name__, str(error)))
    return texts
'''


@case
def what_reads_pickles_is_no_other_object():
    """Functions of ours became methods of the classes that held them, could not be pickled, and were on the stack."""
    before = pickle.loads, pickle.load, pickle.Unpickler
    errors = []
    for here in Directory(False), Directory(False):
        here.write('reader.py', READER)
        page = ask('reader', here)
        assert page.read() == (3, 'read') and page.of_a_file() == 'of_a_file' and page.itself()
        errors.append(page.errors())
    assert errors[0] == errors[1] and 'TypeError' in [kind for kind, _ in errors[0]], errors
    assert before == (pickle.loads, pickle.load, pickle.Unpickler)
    if PYTHON2:
        assert type(cPickle.loads).__name__ == 'builtin_function_or_method' and cPickle.loads.__doc__
        return
    import inspect
    assert pickle.Unpickler.__module__ == '_pickle' and not hasattr(pickle.Unpickler(io.BytesIO(b'')), '__dict__')
    assert str(inspect.signature(pickle.Unpickler.find_class)) == '(self, module_name, global_name, /)'
    raises(TypeError, pickle.Unpickler(io.BytesIO(b'')).find_class, 'sys')
    raises(ImportError, pickle.Unpickler(io.BytesIO(b'')).find_class, 'no_such_module', 'x')
    raises(AttributeError, pickle.Unpickler(io.BytesIO(b'')).find_class, 'sys', 'no_such')

    class Slots(pickle.Unpickler):
        __slots__ = 'a', '__dict__', '__weakref__'

        def find_class(self, module, name):
            return super().find_class(module, 'path') if name == 'argv' else super().find_class(module, name)
    assert Slots(io.BytesIO(b'csys\nargv\n.')).load() is sys.path


@case
def a_module_with_the_name_of_pythons_own_was_not_found_in_a_pickle():
    for is_on_path, name in (False, 'NannyNag'), (True, 'Own'):
        here = Directory(is_on_path)
        here.write('mailcap_page.py', 'import pickle\ndef read(data):\n    return pickle.loads(data)\n')
        here.write('tabnanny.py', 'class Own(object):\n    pass\n')
        page = ask('mailcap_page', here)
        for _ in range(2):
            sys.modules.pop('tabnanny', None)
            found = page.read(('ctabnanny\n%s\n.' % name).encode())
            assert found.__name__ == name, found
        assert not is_on_path or found is ask('tabnanny', here).Own


run()

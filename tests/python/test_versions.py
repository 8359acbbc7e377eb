"""Changes that count as another version of a file, and stale bytecode."""

import os
import sys
import threading
import time

try:
    import importlib.util
except ImportError:
    pass  # Python 2

from harness import PYTHON2, Directory, case, import_module, lines, raises, run, runs, set_time, together


def value_after(here, name, text, stamp=None):
    """Overwrites the file in place, sets its time, and asks for it."""
    with open(here.file(name + '.py'), 'w') as out:
        out.write(text)
    if stamp is not None:
        set_time(here.file(name + '.py'), stamp)
    return import_module(name).value


NOW = int(time.time()) * 10 ** 9


@case
def time_going_backwards_reloads():
    here = Directory()
    assert value_after(here, 'back', 'value = 1\n', NOW) == 1
    assert value_after(here, 'back', 'value = 2\n', NOW - 10 ** 12) == 2
    assert value_after(here, 'back', 'value = 3\n', 0) == 3
    assert value_after(here, 'back', 'value = 4\n', -10 ** 12) == 4


@case
def a_time_in_the_future():
    here = Directory()
    assert value_after(here, 'future', 'value = 1\n', NOW + 10 ** 15) == 1
    assert value_after(here, 'future', 'value = 22\n', NOW + 10 ** 15) == 22
    assert value_after(here, 'future', 'value = 3\n', NOW) == 3


@case
def whole_seconds_and_another_size():
    here = Directory()
    assert value_after(here, 'whole', 'value = 1\n', NOW) == 1
    assert value_after(here, 'whole', 'value = 12\n', NOW) == 12
    assert value_after(here, 'whole', 'value = 123\n', NOW) == 123


@case
def the_same_size_within_one_second():
    here = Directory()
    for number in range(9):
        assert value_after(here, 'quick', 'value = %d\n' % number, NOW + number + 1) == number


@case
def the_same_size_and_time_by_a_rename():
    here = Directory()
    for number in range(9):
        with open(here.file('new'), 'w') as out:
            out.write('value = %d\n' % number)
        set_time(here.file('new'), NOW)
        os.rename(here.file('new'), here.file('renamed.py'))
        assert import_module('renamed').value == number


@case
def bytecode_of_the_same_second_and_size_is_not_believed():
    import py_compile
    here = Directory()
    for name in ('stale', 'stale_at_first'):
        with open(here.file(name + '.py'), 'w') as out:
            out.write('value = 1\n')
        set_time(here.file(name + '.py'), NOW)
        if name == 'stale':
            assert import_module(name).value == 1
        py_compile.compile(here.file(name + '.py'))
        # Written within the second of the source, of which there was more to come.
        cached = here.file(name + '.pyc') if PYTHON2 else importlib.util.cache_from_source(here.file(name + '.py'))
        set_time(cached, NOW + 300000000)
        assert value_after(here, name, 'value = 2\n', NOW + 500000000) == 2


@case
def what_a_plain_import_has_run_is_not_run_again():
    here = Directory()
    here.write('plain_first.py', 'import harness\nharness.ran(__name__)\nvalue = 1\n')
    import plain_first
    assert import_module('plain_first') is plain_first
    assert import_module('plain_first') is plain_first
    assert runs == {'plain_first': 1}
    here.write('plain_first.py', 'value = 2\n')
    assert import_module('plain_first') is plain_first and plain_first.value == 2


@case
def bytecode_that_could_not_be_written_says_nothing():
    import py_compile
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        here = Directory()
        py_compile.compile(here.write('unwritten.py', 'value = 1\n'))
        here.write('unwritten.py', 'import harness\nharness.ran(__name__)\nvalue = 2\n')
        import unwritten
        assert import_module('unwritten') is unwritten
        assert runs == {'unwritten': 1}
    finally:
        sys.dont_write_bytecode = before


@case
def what_a_plain_import_has_run_and_has_changed_since_is():
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        here = Directory()
        here.write('plain_old.py', 'value = 1\n')
        import plain_old
        assert os.path.exists(plain_old.__file__ if PYTHON2 else plain_old.__cached__)
        assert not PYTHON2 or os.path.exists(here.file('plain_old.pyc'))
        here.write('plain_old.py', 'value = 2\n')
        assert import_module('plain_old') is plain_old and plain_old.value == 2
    finally:
        sys.dont_write_bytecode = before


@case
def a_module_whose_file_cannot_be_seen_is_served_as_it_is():
    import types
    module = sys.modules['handmade'] = types.ModuleType('handmade')
    module.__file__ = '/nowhere/handmade.py'
    try:
        assert import_module('handmade') is module
        assert import_module('handmade') is module
    finally:
        del sys.modules['handmade']


@case
def a_module_from_a_zip_file():
    import zipfile
    here = Directory(on_path=False)
    with zipfile.ZipFile(here.file('code.zip'), 'w') as archive:
        archive.writestr('zipped.py', 'value = 1\n')
    sys.path.insert(0, here.file('code.zip'))
    if PYTHON2:
        # The stock function of 3.1 finds modules by `imp`, which knows no archives.
        raises(ImportError, import_module, 'zipped')
        return
    module = import_module('zipped')
    assert module.value == 1 and import_module('zipped') is module


def renamed_and_back(file):
    os.rename(file, file + '.away')
    os.rename(file + '.away', file)


def linked(file):
    os.link(file, file + '.%d' % os.stat(file).st_nlink)


WAYS = {
    'mode': lambda file: os.chmod(file, os.stat(file).st_mode ^ 0o020),
    'owner': lambda file: os.chown(file, os.getuid(), os.getgid()),
    'link': linked,
    'name': renamed_and_back,
    'atime': lambda file: set_time(file, NOW - 10 ** 12),
}


def change_inode(file, way=WAYS['mode']):
    """Until it shows: the clock of a file system does not move for some milliseconds."""
    before = os.stat(file)
    while os.stat(file).st_ctime == before.st_ctime:
        way(file)
        time.sleep(0.001)
    after = os.stat(file)
    assert (after.st_mtime, after.st_size, after.st_ino) == (before.st_mtime, before.st_size, before.st_ino)


RUN_ONCE = """import harness
if harness.ran(%r) > 1:
    raise RuntimeError('settings already configured')
"""


def once(here, name, more=''):
    """Writes a module that must not run twice, as one with Django's settings.configure()."""
    file = here.write(name, RUN_ONCE % name + more)
    set_time(file, NOW - 10 ** 12)
    return file


@case
def a_change_of_the_inode_alone_ran_a_module_again():
    here = Directory()
    file = once(here, 'configured.py')
    module = import_module('configured')
    for way in sorted(WAYS):
        for _ in range(3):
            change_inode(file, WAYS[way])
            assert import_module('configured') is module, way
            assert import_module('configured', path=[here.path]) is module, way
    assert runs == {'configured.py': 1} and not lines()
    # A touch goes on reloading, as administrators do it.
    os.utime(file, None)
    assert 'already' in str(raises(RuntimeError, import_module, 'configured'))


@case
def the_same_with_what_a_plain_import_has_run():
    here = Directory()
    file = once(here, 'configured_plainly.py')
    import configured_plainly
    assert import_module('configured_plainly') is configured_plainly
    change_inode(file)
    assert import_module('configured_plainly') is configured_plainly
    assert runs == {'configured_plainly.py': 1} and not lines()


@case
def the_same_with_odd_modules():
    here = Directory()
    facade = "import sys\nclass Facade(object):\n    pass\nsys.modules[__name__] = Facade()\n"
    for name, tail, more in (('in_front', 'in_front.py', facade), ('whole', 'whole/__init__.py', ''),
                             ('whole.part', 'whole/part.py', ''), ('long', 'long.py', '# ' + 'x' * 300000),
                             ('coded', 'coded.py', '')):
        file = once(here, tail, more)
        if name == 'coded':
            import py_compile
            py_compile.compile(file, cfile=file + 'c')
            os.unlink(file)
            file += 'c'
        module = import_module(name)
        change_inode(file)
        assert import_module(name) is module and runs[tail] == 1, name
    assert not lines()


@case
def the_same_with_many_requests_at_once():
    here = Directory()
    file = once(here, 'busy.py', '# ' + 'x' * 300000)
    module, ended = import_module('busy'), threading.Event()

    def ask():
        while not ended.is_set():
            assert import_module('busy') is module

    def touch():
        try:
            for _ in range(30):
                change_inode(file)
                assert import_module('busy') is module
        finally:
            ended.set()

    for result in together(touch, *[ask] * 7):
        result.get()
    assert runs == {'busy.py': 1} and not lines()


@case
def a_change_of_the_inode_is_compared_once():
    if not os.path.exists('/proc/self/io'):
        return

    def have_read():
        with open('/proc/self/io') as counts:
            return int(counts.read().split()[1])

    here = Directory()
    file = once(here, 'compared.py', '# ' + 'x' * 1000000)
    import_module('compared')
    change_inode(file)
    before = have_read()
    import_module('compared')
    compared = have_read()
    for _ in range(20):
        import_module('compared')
    assert compared - before > 1000000 and have_read() - compared < 1000000


@case
def another_content_with_time_size_and_inode_of_before():
    here = Directory()
    file = here.write('kept_time.py', 'value = 10\n')
    inode = os.stat(file).st_ino
    for number in range(11, 20):
        stamp = os.stat(file)
        if number > 11:
            # The next comparison is with the same version again.
            change_inode(file)
            assert import_module('kept_time').value == number - 1
        with open(file, 'r+') as out:
            out.write('value = %d\n' % number)
        os.utime(file, (10 ** 9, 10 ** 9))
        assert import_module('kept_time').value == number
        assert os.stat(file).st_ino == inode and os.stat(file).st_size == stamp.st_size


run()

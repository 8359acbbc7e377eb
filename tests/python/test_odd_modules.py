"""Modules that are no plain source of one name: hooks, bytecode, extension modules, archives, namespaces."""

import os
import py_compile
import shutil
import sys
import sysconfig
import zipfile

from harness import PYTHON2, Directory, apache, case, import_module, lines, raises, run, runs

if not PYTHON2:
    import importlib.util


def bytecode_of(file):
    return file + 'c' if PYTHON2 else importlib.util.cache_from_source(file)


class Hook(object):
    """A finder of a monitoring agent: it wraps the loader that the others would use."""

    def __init__(self, path):
        self.path = path

    def find_spec(self, name, path=None, target=None):
        from importlib.machinery import PathFinder
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not (spec.origin or '').startswith(self.path):
            return None
        spec.loader = Wrapped(spec.loader)
        return spec


class Wrapped(object):
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.loader.exec_module(module)
        module.hooked = getattr(module, 'hooked', 0) + 1

    def __getattr__(self, name):
        return getattr(self.loader, name)


@case
def import_hooks_did_not_apply_to_handlers():
    if PYTHON2:
        return  # The stock function of 3.1 finds modules by `imp`, which asks no hooks.
    here, other = Directory(False), Directory(False)
    for directory in (here, other):
        directory.write('watched.py', 'value = 1\n')
    hooks = [Hook(here.path), Hook(other.path)]
    sys.meta_path[:0] = hooks
    try:
        modules = [import_module('watched', path=[directory.path]) for directory in (here, other)]
        assert [module.hooked for module in modules] == [1, 1]
        assert modules[0].__name__ != modules[1].__name__
        here.write('watched.py', 'value = 2\n')
        assert import_module('watched', path=[here.path]).value == 2 and modules[0].hooked == 2
        sys.path.insert(0, here.path)
        here.write('plainly.py', 'value = 1\n')
        assert import_module('plainly').hooked == 1
    finally:
        for hook in hooks:
            sys.meta_path.remove(hook)


@case
def a_hook_that_rewrites_sources():
    if PYTHON2:
        return
    from importlib.machinery import FileFinder, SourceFileLoader

    class Rewriting(SourceFileLoader):
        def get_data(self, path):
            data = SourceFileLoader.get_data(self, path)
            return data.replace(b'ONE', b'1') if path.endswith('.rewritten') else data

    def hook(path):
        if not path.endswith('rewritten'):
            raise ImportError
        return FileFinder(path, (Rewriting, ['.rewritten']))

    here = Directory(False)
    here.write('rewritten/odd.rewritten', 'value = ONE\n')
    sys.path_hooks.insert(0, hook)
    try:
        assert import_module('odd', path=[here.file('rewritten')]).value == 1
        here.write('rewritten/odd.rewritten', 'value = ONE + ONE\n')
        assert import_module('odd', path=[here.file('rewritten')]).value == 2
    finally:
        sys.path_hooks.remove(hook)


@case
def valid_bytecode_was_never_used_and_never_written():
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        here = Directory()
        file = here.write('coded.py', 'value = "source"\n')
        import_module('coded')
        assert os.path.exists(bytecode_of(file))
        # Another text under the time and size that the bytecode names: a loader that uses the bytecode misses it.
        stat = os.stat(file)
        with open(file, 'w') as out:
            out.write('value = "edited"\n')
        os.utime(file, (stat.st_atime, stat.st_mtime))
        del sys.modules['coded']
        assert import_module('coded').value == 'source'
        here.write('coded.py', 'value = "reload"\n')
        assert import_module('coded').value == 'reload'
    finally:
        sys.dont_write_bytecode = before


def as_nobody(function):
    """Root may read everything."""
    if os.getuid() != 0:
        return function()
    os.seteuid(65534)
    try:
        return function()
    finally:
        os.seteuid(0)


@case
def a_source_that_cannot_be_read_but_has_bytecode():
    here = Directory()
    file = here.write('secret.py', 'value = 1\n')
    py_compile.compile(file)
    for path in (here.path, os.path.dirname(bytecode_of(file))):
        os.chmod(path, 0o755)
    os.chmod(bytecode_of(file), 0o644)
    os.chmod(file, 0)
    assert as_nobody(lambda: import_module('secret').value) == 1


@case
def a_new_version_that_cannot_be_read_gave_500_until_repaired():
    here = Directory()
    os.chmod(here.path, 0o755)
    file = here.write('mended.py', 'value = 1\n')
    os.chmod(file, 0o644)
    module = import_module('mended')
    here.write('mended.py', 'value = 2\n')
    os.chmod(file, 0)
    for _ in range(3):
        assert as_nobody(lambda: import_module('mended').value) == 1
    assert len(lines(apache.APLOG_ERR)) == 1 and 'mended' in lines()[0], lines()
    os.chmod(file, 0o644)
    assert import_module('mended') is module and module.value == 2
    os.unlink(file)
    os.mkdir(file)
    for _ in range(3):
        assert import_module('mended').value == 2
    os.rmdir(file)
    assert import_module('mended').value == 2
    here.write('mended.py', 'value = 3\n')
    assert import_module('mended').value == 3


@case
def a_file_that_could_not_be_read_for_a_while_was_run_again():
    here = Directory()
    os.chmod(here.path, 0o755)
    file = here.write('closed.py', 'import harness\nharness.ran(__name__)\n')
    os.chmod(file, 0o644)
    module = import_module('closed')
    os.chmod(file, 0)
    for _ in range(3):
        assert as_nobody(lambda: import_module('closed')) is module
    assert len(lines()) == 1 and lines(apache.APLOG_ERR)[0].startswith('MPC0025: '), lines()
    os.chmod(file, 0o644)
    assert as_nobody(lambda: import_module('closed')) is module
    assert runs == {'closed': 1} and len(lines()) == 1


@case
def what_was_never_read_is_run_again_after_any_change():
    if PYTHON2:
        return  # The bytecode is a module file of its own, which is watched and read.
    here = Directory()
    file = here.write('opened.py', 'import harness\nharness.ran(__name__)\n')
    py_compile.compile(file)
    for path in (here.path, os.path.dirname(bytecode_of(file))):
        os.chmod(path, 0o755)
    os.chmod(bytecode_of(file), 0o644)
    os.chmod(file, 0)
    module = as_nobody(lambda: import_module('opened'))
    os.chmod(file, 0o644)
    assert import_module('opened') is module and runs == {'opened': 2}
    # Now it has been.
    os.chmod(file, 0o600)
    assert import_module('opened') is module and runs == {'opened': 2}


@case
def a_module_that_had_become_a_package_was_served_for_ever():
    here = Directory(False)
    file = here.write('grown.py', 'value = 1\n')
    assert import_module('grown', path=[here.path]).value == 1
    here.write('grown/__init__.py', 'from . import part\nvalue = part.value\n')
    here.write('grown/part.py', 'value = 2\n')
    os.unlink(file)
    grown = import_module('grown', path=[here.path])
    assert grown.value == 2 and import_module('grown', path=[here.path]) is grown
    assert import_module('grown.part', path=[here.path]) is grown.part


@case
def relative_directories_had_nothing_in_them():
    here = Directory(False)
    before = os.getcwd()
    os.chdir(here.path)
    try:
        for name, directory in (('relative', '.'), ('below', 'sub'), ('empty', '')):
            file = here.write(os.path.join('sub' if directory == 'sub' else '', name + '.py'), 'value = __file__\n')
            module = import_module(name, path=[directory])
            assert os.path.samefile(module.value, file) and import_module(name, path=[directory]) is module
            assert import_module(name, path=[os.path.dirname(file)]) is module
    finally:
        os.chdir(before)


@case
def a_module_that_deletes_its_attributes_failed_at_its_reload():
    here = Directory(False)
    for number in (1, 2):
        for name in ['__file__', '__name__'] + ([] if PYTHON2 else ['__spec__', '__loader__', '__cached__']):
            here.write('without%s.py' % name, 'del %s\nvalue = %d\n' % (name, number))
            assert import_module('without' + name, path=[here.path]).value == number


@case
def what_imports_at_a_look_made_every_load_fail():
    here = Directory(False)
    here.write('looks.py', '''
import sys
class Lazy(object):
    def __getattr__(self, name):
        raise ImportError(name)
sys.modules['lazy_part'] = Lazy()
class Proxy(object):
    @property
    def __class__(self):
        raise RuntimeError('not set up yet')
proxy = Proxy()
class Meta(type):
    def __getattribute__(cls, name):
        if name == '__module__':
            raise RuntimeError(name)
        return type.__getattribute__(cls, name)
Odd = Meta('Odd', (object,), {})
value = 1
''')
    try:
        assert import_module('looks', path=[here.path]).value == 1
        here.write('later.py', 'value = 2\n')
        assert import_module('later', path=[here.path]).value == 2
    finally:
        sys.modules.pop('lazy_part', None)


@case
def none_in_sys_modules_was_looked_at_for_ever():
    here = Directory(False)
    here.write('halted.py', 'value = 1\n')
    here.write('halts.py', 'raise ValueError\n')
    sys.modules['halted'] = sys.modules['halts'] = None
    assert import_module('halted', path=[here.path]).value == 1
    raises(ValueError, import_module, 'halts', path=[here.path])
    assert sys.modules['halts'] is None
    sys.modules.pop('halts')


@case
def os_path_was_no_module():
    assert import_module('os.path') is os.path
    raises(ImportError, import_module, 'os.paths')


@case
def reload_did_not_run_a_module_with_a_private_name():
    reload_it = sys.modules['__builtin__'].reload if PYTHON2 else importlib.reload
    one, two = Directory(False), Directory(False)
    for here in (one, two):
        here.write('again.py', 'runs = globals().get("runs", 0) + 1\n')
    for here in (one, two):
        module = import_module('again', path=[here.path])
        spec = getattr(module, '__spec__', None)
        if here is two:
            assert reload_it(module) is module and module.runs == 2
            assert getattr(module, '__spec__', None) is spec and import_module('again', path=[here.path]) is module


@case
def the_same_in_a_handlers_directory():
    here = Directory(False)
    file = here.write('page.py', 'value = 1\n')
    import_module('page', path=[here.path])
    os.unlink(file)
    os.mkdir(file)
    for _ in range(3):
        assert import_module('page', path=[here.path]).value == 1
    assert len(lines(apache.APLOG_ERR)) == 1, lines()
    os.rmdir(file)
    here.write('page.py', 'value = 2\n')
    assert import_module('page', path=[here.path]).value == 2


@case
def the_second_extension_module_of_a_name_failed():
    dynload = sysconfig.get_path('platstdlib') + '/lib-dynload'
    # Those of a debugging Python may be beside them.
    suffix = sysconfig.get_config_var('EXT_SUFFIX') or sysconfig.get_config_var('SO')
    names = [word + suffix for word in ('_json', '_heapq', '_csv')]
    for name in [name for name in names if os.path.exists(os.path.join(dynload, name))]:
        one, two = Directory(False), Directory(False)
        for here in (one, two):
            shutil.copyfile(os.path.join(dynload, name), here.file(name))
        word = name.partition('.')[0]
        before = sys.modules.get(word)
        modules = [import_module(word, path=[here.path]) for here in (one, two, one)]
        assert [module.__file__ for module in modules] == [here.file(name) for here in (one, two, one)]
        assert modules[0] is modules[2] is not modules[1]
        assert before is None or sys.modules[word] is before
        for module in modules[:2]:
            assert import_module(word, path=[os.path.dirname(module.__file__)]) is module


@case
def the_second_archive_with_a_name_failed():
    if PYTHON2:
        return
    archives = []
    for text in ('where = "one"\n', 'where = "two"\n'):
        here = Directory(False)
        with zipfile.ZipFile(here.file('code.zip'), 'w') as archive:
            archive.writestr('zipped.py', text)
            archive.writestr('zipped_package/__init__.py', text)
            archive.writestr('zipped_package/part.py', text)
        archives.append(here.file('code.zip'))
    for name in ('zipped', 'zipped_package', 'zipped_package.part'):
        modules = [import_module(name, path=[archive]) for archive in archives + archives]
        assert [module.where for module in modules] == ['one', 'two', 'one', 'two'], name
        assert modules[0] is modules[2] and modules[1] is modules[3]


@case
def namespace_packages_of_one_name_were_the_first_ones():
    if PYTHON2:
        return
    directories = [Directory(False), Directory(False)]
    for number, here in enumerate(directories):
        here.write('space/part.py', 'where = %d\n' % number)
    for _ in range(2):
        parts = [import_module('space.part', path=[here.path]) for here in directories]
        assert [part.where for part in parts] == [0, 1]
    directories[1].write('space/part.py', 'where = 2\n')
    assert import_module('space.part', path=[directories[1].path]).where == 2


@case
def one_directory_had_several_names():
    here = Directory(False)
    os.mkdir(here.file('x'))
    file = here.write('page.py', 'import harness\nharness.ran(__file__)\n')
    ways = ['/%s' % here.path, '%s/' % here.path, '%s/.' % here.path, '%s/x/..' % here.path, here.path + '//']
    modules = [import_module('page', path=[way]) for way in ways + [here.path]]
    assert len(set(map(id, modules))) == 1 and runs == {file: 1}
    # Where `..` follows a symbolic link it leads elsewhere.
    other = Directory(False)
    os.mkdir(other.file('y'))
    os.symlink(other.file('y'), here.file('link'))
    other.write('page.py', 'other = True\n')
    assert import_module('page', path=[here.file('link/..')]).other


@case
def a_file_made_in_the_place_of_another_with_its_time_and_size():
    here = Directory()
    for number in range(5):
        file = here.write('replaced.py', 'value = %d\n' % number)
        os.utime(file, (10 ** 9, 10 ** 9))
        assert import_module('replaced').value == number
        with open(file, 'w') as out:
            out.write('value = %d\n' % (number + 5))
        os.utime(file, (10 ** 9, 10 ** 9))
        assert import_module('replaced').value == number + 5
        os.unlink(file)


run()

"""Random trees of directories and random calls from many threads, against a reference that knows the promises alone.

The tree changes between phases; within a phase it stands still and threads ask for it all at once, so that one thread's
plain bookkeeping says what each of them has to get, how often which file has to run, and what is in sys.modules after.
MODPYTHON_CORE_ORACLE_SECONDS says for how long, MODPYTHON_CORE_ORACLE_SEED where to begin, and
MODPYTHON_CORE_ORACLE_THREADS how many threads there are. The trees are the same each time unless a seed says otherwise:
`make check-long` is what looks for new ones.
"""

import os
import pickle
import random
import shutil
import sys
import threading
import time
import zipfile

import harness
from harness import PYTHON2, Directory, case, clock, core, import_module, run, runs, together

SECONDS = float(os.environ.get('MODPYTHON_CORE_ORACLE_SECONDS', 12))
SEED = int(os.environ.get('MODPYTHON_CORE_ORACLE_SEED', 1))
THREADS = int(os.environ.get('MODPYTHON_CORE_ORACLE_THREADS', 24))

TEXT = '''import harness
harness.enter(%(file)r, %(number)d)
where, number = %(file)r, %(number)d
class Thing(object):
    pass
%(more)s
harness.leave(%(file)r)
'''

FACADE = '''
import sys
class Facade(object):
    where, number, facade = %(file)r, %(number)d, True
sys.modules[__name__] = Facade()
'''

SIBLING = '''try:
    import tools
except BaseException:
    harness.leave(%(file)r)
    raise
sibling = tools.where
'''

ASKER = 'import harness\ndef ask(**keywords):\n    return harness.import_module("tools", **keywords)\n'
NAMES = ['index', 'page', 'shop', 'wave', 'tools']
ZIPPED = {'index': 'index.py', 'wave': 'wave.py', 'shop': 'shop/__init__.py', 'shop.part': 'shop/part.py'}
PART = '''from __future__ import absolute_import
import shop
package = shop.where
'''
# Kinds of files that stay as they are.
LASTING = ('zip', 'binary')
inside = {}
guard = threading.Lock()


class Broken(Exception):
    """Raised by a module that fails."""


def enter(file, number):
    with guard:
        inside[file] = inside.get(file, 0) + 1
        runs[file, number] = runs.get((file, number), 0) + 1
        if inside[file] > 1:
            harness.overlaps.append(file)
    time.sleep(0.0005)


def leave(file):
    with guard:
        inside[file] -= 1


harness.enter, harness.leave, harness.Broken = enter, leave, Broken


class File(object):
    """One file, as the promises describe it."""

    def __init__(self, path):
        self.path = self.text_of = path
        self.number = None  # The version on the disk; None if it is not there.
        self.kind = 'plain'
        self.ran = None  # The version that has run last.
        self.answered = None  # The module that a call has returned last.
        self.served = None  # The module that calls return.

    def is_loaded(self, modules):
        return self.served is not None and any(module is self.served for module in modules)


class World(object):
    def __init__(self, dice):
        self.dice = dice
        self.numbers = 0
        self.directories = [Directory(False) for _ in range(dice.randint(1, 3))]
        for here in self.directories:
            # The dispatchers of 3.5 put each there that has been asked for.
            if dice.random() < 0.7:
                sys.path.insert(0, here.path)
        self.files = {}
        for here in self.directories:
            here.write('asker.py', ASKER)
            for name in NAMES:
                tail = name + '/__init__.py' if name == 'shop' else name + '.py'
                self.files[here.path, name] = File(here.file(tail))
                if name == 'shop':
                    self.files[here.path, 'shop.part'] = File(here.file('shop/part.py'))
        for where in sorted(self.files):
            if dice.random() < 0.8 or where[1].startswith('shop'):
                self.write(where)
        if len(self.directories) > 1 and dice.random() < 0.5:
            # A link has a module of its own.
            first, second = [self.files[here.path, 'tools'] for here in self.directories[:2]]
            if first.number is not None and first.kind == 'plain':
                if os.path.exists(second.path):
                    os.unlink(second.path)
                os.symlink(first.path, second.path)
                second.number, second.kind, self.link = first.number, 'link', (first, second)
                second.text_of = first.path

        if not PYTHON2:
            # Python 2's modules are found by imp, which looks into no archive.
            for here in self.directories:
                if dice.random() < 0.5:
                    self.pack(here)
                if dice.random() < 0.5:
                    self.copy_extension(here)

    link = None

    def pack(self, here):
        archive = here.file('code.zip')
        with zipfile.ZipFile(archive, 'w') as opened:
            for name, tail in ZIPPED.items():
                self.numbers += 1
                file = self.files[archive, name] = File(archive + '/' + tail)
                file.number, file.kind = self.numbers, 'zip'
                more = PART.replace('from __future__ import absolute_import\n', '') if name == 'shop.part' else ''
                opened.writestr(tail, TEXT % {'file': file.path, 'number': file.number, 'more': more})

    def copy_extension(self, here):
        from importlib.util import find_spec
        # One of Python's own that nothing needs, and that may be made twice.
        spec = find_spec('xxlimited')
        if spec is not None and spec.has_location:
            file = self.files[here.path, 'xxlimited'] = File(here.file(os.path.basename(spec.origin)))
            shutil.copy(spec.origin, file.path)
            file.number, file.kind = 0, 'binary'

    def directory(self, where):
        return [here for here in self.directories if here.path == where[0]][0]

    def write(self, where):
        file = self.files[where]
        if file.kind == 'link' or file.kind in LASTING:
            return
        self.numbers += 1
        file.number = self.numbers
        file.kind = self.dice.choice(['plain'] * 6 + ['facade', 'failing'] + ['sibling'] * 2)
        if where[1].startswith('shop') or self.link and file is self.link[0]:
            file.kind = 'plain'
        more = {'facade': FACADE % {'file': file.path, 'number': file.number},
                'failing': 'harness.leave(%r)\nraise harness.Broken(%r)\n' % (file.path, file.path),
                'sibling': SIBLING % {'file': file.path}}.get(file.kind, '')
        if where[1] == 'shop.part':
            more = PART
        text = TEXT % {'file': file.path, 'number': file.number, 'more': more}
        if 'from __future__' in more:
            text = 'from __future__ import absolute_import\n' + text.replace('from __future__ import absolute_import\n', '')
        if file.kind == 'sibling' and (where[1] == 'tools' or not self.has_own_tools(where)):
            text, file.kind = TEXT % {'file': file.path, 'number': file.number, 'more': ''}, 'plain'
        self.directory(where).write(os.path.relpath(file.path, where[0]), text)
        if self.link and file is self.link[0]:
            self.link[1].number = file.number

    def has_own_tools(self, where):
        tools = self.files[where[0], 'tools']
        return tools.number is not None and tools.kind in ('plain', 'link')

    def broken(self, where, loaded):
        """The path of the file that makes a load of this one fail: itself, or what it imports, of which the last version
        that ran would do. None if the load succeeds."""
        file, tools = self.files[where], self.files.get((where[0], 'tools'))
        if file.number is not None and file.kind == 'failing':
            return file.path
        if file.number is not None and file.kind == 'sibling' and tools.kind == 'failing':
            return tools.path if loaded[where[0], 'tools'] is None else None
        return None

    def change(self):
        """One change of the tree or of sys.modules, which nobody asks for meanwhile."""
        where = self.dice.choice(sorted(self.files))
        file, way = self.files[where], self.dice.random()
        in_use = where[1].startswith('shop') or where[1] == 'tools' or file.kind in ('link',) + LASTING
        if way < 0.6:
            if where[1] != 'tools' or file.number is None or self.dice.random() < 0.5:
                self.write(where)
        elif way < 0.75 and not in_use and file.number is not None:
            os.unlink(file.path)
            if os.path.exists(file.path + 'c'):
                # Python 2 would go on with the bytecode.
                os.unlink(file.path + 'c')
            file.number = None
        elif way < 0.9 and not in_use and file.served is not None:
            for name, module in list(sys.modules.copy().items()):
                if module is file.served:
                    del sys.modules[name]
            file.served = file.ran = None
        elif file.number is not None and file.kind != 'zip':
            # Changes the inode alone: nothing is to run again.
            os.chmod(file.path, os.stat(file.path).st_mode ^ 0o020)


class Call(object):
    """One question, and what the reference says of the answer."""

    def __init__(self, world):
        self.world, dice = world, world.dice
        self.where = dice.choice(sorted(world.files))
        self.file = world.files[self.where]
        self.autoreload = dice.random() < 0.8
        self.by = dice.random()
        # In a page, without a path.
        self.in_page = self.where[1] == 'tools' and self.file.number is not None and dice.random() < 0.5

    def ask(self):
        directory = self.where[0]
        if self.in_page:
            return import_module('asker', path=[directory]).ask(autoreload=self.autoreload)
        way = [directory] if self.by < 0.6 else (directory,) if self.by < 0.8 else '/' + directory + '/.'
        return import_module(self.where[1], autoreload=self.autoreload, path=way)

    def check(self, result, loaded, modules):
        """`loaded` is what was loaded of each file as the phase began: None, or its (version, module)."""
        file, error, before = self.file, result.error, loaded[self.where]
        if file.number is None and before is None:
            assert isinstance(error, ImportError), ('no file', self.where, error)
            return
        broken = self.world.broken(self.where, loaded)
        if broken is not None and (before is None or before[0] != file.number):
            if self.autoreload or before is None:
                assert type(error) is Broken and error.args == (broken,), ('failing', self.where, error)
            else:
                assert error is None and result.value is before[1], ('kept', self.where, error)
            return
        assert error is None, ('an error', self.where, error, vars(file), before, self.autoreload, result.trace[-300:])
        module = result.value
        if file.kind == 'binary':
            assert module.__file__ == file.path, ('another extension', self.where, module)
            assert before is None or module is before[1], ('another extension module', self.where)
            assert any(module is one for one in modules), ('not in sys.modules', self.where)
            return
        assert module.where == file.text_of, ('another file', self.where, module.where)
        right = [file.number if file.number is not None else before[0]]
        if not self.autoreload and before is not None:
            right.append(before[0])
        assert module.number in right, ('another version', self.where, module.number, right)
        if getattr(module, 'sibling', None):
            tools = self.world.files[self.where[0], 'tools']
            assert module.sibling == tools.text_of, ('a sibling', self.where, module.sibling)
        if getattr(module, 'package', None):
            assert os.path.dirname(module.package) == os.path.dirname(file.path), ('a package', self.where)
        # One that was there before may have been replaced since.
        replaced = before is not None and module is before[1] and not self.autoreload
        assert replaced or any(module is one for one in modules), ('not in sys.modules', self.where, vars(file), module, before, self.autoreload, [(n, m) for n, m in sys.modules.items() if getattr(m, 'where', None)])
        if not hasattr(module, 'facade') and any(module is one for one in modules):
            for protocol in (0, 2):
                thing = pickle.loads(pickle.dumps(module.Thing(), protocol))
                assert type(thing) is module.Thing, ('a pickle', self.where)


def phase(world):
    before = {}
    modules = list(sys.modules.copy().values())
    for where, file in world.files.items():
        loaded = file.is_loaded(modules)
        before[where] = (file.ran, file.served) if loaded else None
    runs.clear()
    harness.overlaps = []
    calls = [Call(world) for _ in range(THREADS)]
    results = together(*[call.ask for call in calls])
    assert core.locks() == 0 or not ALONE, 'a lock is left'
    assert not harness.overlaps, ('two threads in one file', harness.overlaps)
    modules = list(sys.modules.copy().values())
    for call, result in zip(calls, results):
        call.check(result, before, modules)
    for (path, number), times in runs.items():
        file = [file for file in world.files.values() if file.path == path or file.kind == 'link'
                and os.path.realpath(file.path) == path][0]
        # A module that import_module has handed out runs again only after a change.
        where = [where for where in world.files if world.files[where] is file][0]
        known = before[where]
        limit = 0 if known and known[0] == number and file.answered is known[1] else 1
        if world.link and path == world.link[0].path:
            limit = 2  # Once in the module of the link.
        if world.broken(where, before) is not None:
            limit = THREADS
        assert times <= limit, ('run too often', path, number, times)
    for call, result in zip(calls, results):
        if result.error is None:
            if call.file.kind == 'binary':
                assert before[call.where] or call.file.served in (None, result.value), ('two of one file', call.where)
                call.file.ran, call.file.served = 0, result.value
                continue
            call.file.ran, call.file.served = result.value.number, result.value
            call.file.answered = result.value
            last = before[call.where]
            facade = hasattr(result.value, 'facade') or last is not None and hasattr(last[1], 'facade')
            if last is not None and not facade:
                assert result.value is last[1], ('another module object', call.where)
    for where, file in world.files.items():
        # Modules that a sibling or a part has brought along, and the latest of a file that several asked for.
        for name, module in list(sys.modules.copy().items()):
            if getattr(module, 'where', None) == file.path and getattr(module, 'number', None) is not None:
                if file.kind == 'link' or world.link and file is world.link[0]:
                    if getattr(module, '__file__', file.path) != file.path:
                        continue
                file.ran, file.served = module.number, module
    for where, file in world.files.items():
        if file.kind == 'failing':
            assert file.number is None or file.ran != file.number, ('a failed module', where, [(n, m, getattr(m,'number',None)) for n, m in sys.modules.items() if getattr(m, 'where', None) == file.path], before[where], [(c.autoreload, c.by) for c in calls if c.where == where])
    one_module_each(world)


def one_module_each(world):
    for file in world.files.values():
        if file.kind == 'link' or world.link and file is world.link[0]:
            continue
        found = set(id(module) for module in list(sys.modules.copy().values()) if getattr(module, 'where', None) == file.path)
        assert len(found) <= 1, ('one file is several modules', file.path, [(n, m, m.number, id(m)) for n, m in sys.modules.items() if getattr(m, 'where', None) == file.path])


ALONE = True


@case
def every_answer_is_the_references():
    end, rounds, phases = clock() + SECONDS, 0, 0
    while clock() < end:
        seed = SEED + rounds
        dice = random.Random(seed)
        # A file on the server's own path keeps the bare name.
        known, path = set(sys.modules), list(sys.path)
        world = World(dice)
        try:
            for _ in range(8):
                phase(world)
                phases += 1
                for _ in range(dice.randint(0, 3)):
                    world.change()
        except BaseException:
            sys.stdout.write('MODPYTHON_CORE_ORACLE_SEED=%d, phase %d\n' % (seed, phases))
            raise
        finally:
            sys.path[:] = path
            for name in set(sys.modules) - known:
                file = getattr(sys.modules[name], 'where', None) or getattr(sys.modules[name], '__file__', None) or ''
                if file.startswith(tuple(here.path for here in world.directories)):
                    del sys.modules[name]
            for here in world.directories:
                shutil.rmtree(here.path, ignore_errors=True)
        rounds += 1
    print('%d rounds, %d phases, %d calls' % (rounds, phases, phases * THREADS))
    assert rounds > 1


run()

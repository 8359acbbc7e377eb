"""Shared by the scripts of this folder: cases, temporary directories, threads that start together, and counts."""

import os
import shutil
import sys
import tempfile
import threading
import time
import traceback

from mod_python import apache

try:
    import faulthandler
except ImportError:
    faulthandler = None  # Python 2

core = sys.modules['_modpython_core']
import_module = apache.import_module

# How often which module has run, and when it began and ended; modules report by `import harness`.
runs = {}
_runs_lock = threading.Lock()
_cases = []
_directories = []

DEADLINE = float(os.environ.get("DEADLINE", 60))
# For a whole script; the program that runs it waits a little longer.
LIMIT = float(os.environ.get('LIMIT', 100 + float(os.environ.get('MODPYTHON_CORE_ORACLE_SECONDS', 0))))


PYTHON2 = sys.version_info[0] == 2
clock = getattr(time, 'monotonic', time.time)
fsencode = getattr(os, 'fsencode', str)


if PYTHON2:
    FileNotFoundError = IOError
    ModuleNotFoundError = ImportError
else:
    FileNotFoundError, ModuleNotFoundError = FileNotFoundError, ModuleNotFoundError


def set_time(path, nanoseconds):
    """Sets the time of a file. os.utime of Python 2 takes floats, which have no nanoseconds."""
    if not PYTHON2:
        os.utime(path, ns=(nanoseconds, nanoseconds))
        return
    import ctypes
    times = (ctypes.c_long * 4)(*divmod(nanoseconds, 10 ** 9) * 2)
    assert ctypes.CDLL(None).utimensat(-100, path, times, 0) == 0, path


class Barrier(object):
    """threading.Barrier for one use: Python 2 lacks it."""

    def __init__(self, parties):
        self._condition = threading.Condition()
        self._missing = parties

    def wait(self):
        with self._condition:
            self._missing -= 1
            if not self._missing:
                self._condition.notify_all()
            while self._missing:
                self._condition.wait(DEADLINE)


def ran(name):
    with _runs_lock:
        runs[name] = runs.get(name, 0) + 1
    return runs[name]


def case(function):
    _cases.append(function)
    return function


class Directory(object):
    """A directory for modules, on request one that sys.path names first."""

    def __init__(self, on_path=True):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix='modpython-core-'))
        if on_path:
            sys.path.insert(0, self.path)
        self._stamp = time.time() - 1000
        _directories.append(self.path)

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text, newer=True):
        """Writes a module as an editor does, by a rename. Each version gets a time of its own, in the past."""
        if not os.path.isdir(os.path.dirname(self.file(name))):
            os.makedirs(os.path.dirname(self.file(name)))
        with open(self.file(name) + '.new', 'w') as out:
            out.write(text)
        if newer:
            self._stamp += 2
            os.utime(self.file(name) + '.new', (self._stamp, self._stamp))
        os.rename(self.file(name) + '.new', self.file(name))
        return self.file(name)

    def key(self, name):
        return fsencode(self.file(name))


def sites(**files):
    """Two directories with the same files, whose text may name the site by %(site)r."""
    made = []
    for site in ('north', 'south'):
        here = Directory(False)
        for name, text in files.items():
            here.write(name.replace('__init__', '.').replace('__', '/').replace('.', '__init__') + '.py', text % {'site': site})
        made.append(here)
    return made


def ask(name, here):
    return import_module(name, path=[here.path])


def private_name(file):
    names = sys.modules['modpython_core.names']
    return names.PREFIX + names.encode(file)


class Hlist(object):
    """The handler of a request, and the directory of its directive."""

    def __init__(self, handler, directory, is_location=False):
        self.handler = handler
        # A new string each time, as Apache's pools give it.
        self.directory = ''.join(list(directory)) if directory else directory
        self.is_location = is_location


class Request(object):
    """The argument of a dispatcher."""

    def __init__(self, handler, directory, is_location=False, **config):
        self.hlist = Hlist(handler, directory, is_location)
        self.config = config
        self.application = handler


class Result(object):
    value = error = None
    depth = 0  # of the traceback
    trace = ''  # as text, for a hang: the results are printed only of a case that ends

    def get(self):
        if self.error is not None:
            raise self.error
        return self.value


def trace():
    """The exception that is handled, as text."""
    try:
        return traceback.format_exc()
    except KeyError:
        return ''  # Python 2's linecache is not made for threads: two of them forget the same file.


def together(*functions):
    """Runs the functions at once, a thread for each, and returns their results in order. A thread that has not come
    back by the deadline is a hang."""
    barrier = Barrier(len(functions))
    results = [Result() for _ in functions]

    def body(function, result):
        barrier.wait()
        try:
            result.value = function()
        except:  # Python 2 knows exceptions of classes that are of no base.
            result.error, frame = sys.exc_info()[1:]
            while frame is not None:
                result.depth, frame = result.depth + 1, frame.tb_next
            result.trace = trace()

    threads = [threading.Thread(target=body, args=pair) for pair in zip(functions, results)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        if thread.is_alive():
            give_up(results)
    return results


def give_up(results=()):
    """Says where every thread is, and ends the process. Which error a thread has ended with comes first: where another
    thread waits for it, that is what the hang is about, and nobody else would ever say it."""
    for number, result in enumerate(results):
        if result.error is not None:
            sys.stderr.write('Function %d of %d ended with this error:\n%s' % (number + 1, len(results), result.trace))
    for frame in sys._current_frames().values():
        sys.stderr.write('A thread is here:\n')
        traceback.print_stack(frame)
    os._exit(70)


def until(condition):
    """Waits for what another thread is about to do. Polls, because the condition is a count in our library."""
    end = clock() + DEADLINE
    while not condition():
        assert clock() < end, 'it never came'
        time.sleep(0.001)


def lines(level=None):
    return [text for at, text in apache.lines if level in (None, at)]


class Messages(object):
    """The lines of the library with that code, while this is entered. It writes to standard error if Apache is absent."""

    def __init__(self, code):
        self._begin = code + ': '

    def __enter__(self):
        self._log, self._errors = tempfile.TemporaryFile(), os.dup(2)
        os.dup2(self._log.fileno(), 2)
        return self

    def __exit__(self, *error):
        os.dup2(self._errors, 2)
        os.close(self._errors)

    def lines(self):
        self._log.seek(0)
        return [line for line in self._log.read().decode().splitlines() if line.startswith(self._begin)]


def raises(kind, function, *args, **keywords):
    try:
        function(*args, **keywords)
    except kind as error:
        return error
    raise AssertionError('%s was not raised' % kind.__name__)


def run(alone=True):
    """Runs the cases. `alone` says that no other interpreter uses the lock table, which the process has one of."""
    if faulthandler:
        faulthandler.dump_traceback_later(LIMIT, exit=True)
    else:
        watchdog = threading.Timer(LIMIT, give_up)
        watchdog.daemon = True
        watchdog.start()
    wanted = os.environ.get('CASE', '').split()
    cases = [function for function in _cases if not wanted or [part for part in wanted if part in function.__name__]]
    failed = 0
    if not cases:
        print('FAILED: no case has %s in its name' % ' or '.join(wanted))
        failed = 1
    for function in cases:
        path, modules = list(sys.path), set(sys.modules)
        runs.clear()
        del apache.lines[:]
        try:
            function()
            assert not alone or core.locks() == 0, 'a lock is still held'
        except BaseException:
            failed += 1
            print('FAILED: %s' % function.__name__)
            traceback.print_exc(file=sys.stdout)
        sys.path[:] = path
        while _directories:
            shutil.rmtree(_directories.pop(), ignore_errors=True)
        for name in set(sys.modules) - modules:
            if (getattr(sys.modules[name], '__file__', None) or '').startswith(tempfile.gettempdir()):
                del sys.modules[name]
    if faulthandler:
        faulthandler.cancel_dump_traceback_later()
    else:
        # An interpreter that has a thread cannot be ended.
        watchdog.cancel()
        watchdog.join()
    print('%d cases, %d failed' % (len(cases), failed))
    sys.stdout.flush()
    if failed:
        raise SystemExit(1)

"""The traces that a request can leave in its thread state, or see of another; for tests/rebind31.rs and rebind35.rs."""
import ctypes
import decimal
import sys
import threading

try:
    import asyncio
    import contextvars
    VARIABLES = [contextvars.ContextVar("variable %d" % number) for number in range(8)]
    DYING = [contextvars.ContextVar("dying %d" % number) for number in range(8)]
except ImportError:
    VARIABLES = []
    DYING = []

LOCAL = threading.local()
NESTED = ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int


class Value(object):
    """A value that uses variables when it dies. Not the one it is in, nor one that holds such a value: `set` of a value
    whose destructor sets the same variable leaves CPython itself with a pointer to freed memory."""

    def __init__(self, number, lives=0):
        self.number, self.lives, self.bulk = number, lives, [number] * 50

    def __del__(self):
        if VARIABLES:
            heir = Value(self.number + 1, self.lives - 1) if self.lives else [self.number] * 50
            DYING[self.number % 8].set(heir)
            for variable in VARIABLES + DYING:
                variable.get(None)


def get_ident():
    """The calling thread, as PyThreadState_SetAsyncExc knows it."""
    return threading.current_thread().ident


def watch(frame, event, argument):
    return watch


def seen():
    """The traces of other requests that this one sees: none, if all is as it should be."""
    found = []
    if getattr(LOCAL, "user", None) is not None:
        found.append(LOCAL.user)
    found += [variable.name for variable in VARIABLES + DYING if variable.get(None) is not None]
    if decimal.getcontext().prec != 28:
        found.append("precision")
    if sys.exc_info() != (None, None, None):
        found.append("exception")
    if sys.gettrace() is not None or sys.getprofile() is not None:
        found.append("trace")
    if VARIABLES:
        if asyncio._get_running_loop() is not None:
            found.append("loop")
        if sys.get_coroutine_origin_tracking_depth() != 0:
            found.append("depth")
        if sys.get_asyncgen_hooks() != (None, None):
            found.append("hooks")
    return found


def leave(user, lives=0):
    """Leaves one of everything behind."""
    LOCAL.user = user
    LOCAL.value = Value(0, lives)
    decimal.getcontext().prec = 3
    for number, variable in enumerate(VARIABLES):
        variable.set(Value(number))
    if VARIABLES:
        asyncio._set_running_loop(NoLoop())
        sys.set_coroutine_origin_tracking_depth(7)
        sys.set_asyncgen_hooks(watch, watch)
    sys.setprofile(watch)
    sys.settrace(watch)


class NoLoop(object):
    """Stands in for an event loop."""


def set_one_read_others(number):
    """Sets one variable, and reads all others, which nobody has set in this request."""
    value = "value %d " % number * 20
    if not VARIABLES:
        return []
    mine = VARIABLES[number % 8]
    before = [variable.name for variable in VARIABLES if variable.get(None) is not None]
    mine.set(value)
    others = [variable.name for variable in VARIABLES if variable is not mine and variable.get(None) is not None]
    return before + others + ([] if mine.get() == value else ["own"])


def nested(address, name, code, keeps_gil=False):
    """The answer of a request in this one, by a caller in C that gives the GIL up, or does not."""
    kind = ctypes.PYFUNCTYPE if keeps_gil else ctypes.CFUNCTYPE
    answer = ctypes.create_string_buffer(10000)
    assert kind(ctypes.c_int, *NESTED)(address)(name.encode("ascii"), code.encode("ascii"), answer, 10000) == 1
    return answer.value.decode("ascii")


def separate(address, inner, depth):
    """Runs requests inside this one, and says what each sees of the other."""
    code = "import separate; found = separate.seen(); "
    if depth > 1:
        code += "found += separate.separate(%d, %r, %d); " % (address, inner, depth - 1)
    code += "separate.leave('inner %d'); del separate.LOCAL.user; answer = ' '.join(found)" % depth
    found = []
    for keeps_gil in (False, True):
        LOCAL.user, decimal.getcontext().prec = "outer", 11
        for variable in VARIABLES:
            variable.set("outer")
        sys.setprofile(watch)
        try:
            raise ValueError("outer")
        except ValueError:
            found += nested(address, inner, code, keeps_gil).split()
            if not isinstance(sys.exc_info()[1], ValueError):
                found.append("outer's exception is %r" % (sys.exc_info(),))
        if sys.getprofile() is not watch:
            found.append("outer's profile function is %r" % sys.getprofile())
        sys.setprofile(None)
        if getattr(LOCAL, "user", None) != "outer" or decimal.getcontext().prec != 11:
            found.append("outer's data is %r %d" % (getattr(LOCAL, "user", None), decimal.getcontext().prec))
        found += ["outer's " + variable.name for variable in VARIABLES if variable.get(None) != "outer"]
        del LOCAL.user
        decimal.getcontext().prec = 28
        for variable in VARIABLES:
            variable.set(None)
    return found


def in_thread(address, inner, depth):
    """The same in a thread of the application."""
    found = []
    thread = threading.Thread(target=lambda: found.extend(separate(address, inner, depth)))
    thread.start()
    thread.join()
    return found


ALIVE = []


class Left(object):
    """An object that a phase leaves."""

    def __init__(self, who):
        self.who = who
        ALIVE.append(who)

    def __del__(self):
        ALIVE.remove(self.who)


def visit(who):
    """Finds the traces of the phase before, of each kind; then leaves its own."""
    if not hasattr(LOCAL, "left"):
        LOCAL.left = Left(who)
        found = []
    else:
        found = [LOCAL.left.who]
    if not VARIABLES:
        return found * 2
    if VARIABLES[0].get(None) is not None:
        found.append(VARIABLES[0].get())
    VARIABLES[0].set(who)
    return found

"""Helpers that several of the sites share. This is imported in the usual way, and so runs once in each interpreter."""

import concurrent.futures
import contextvars
import ctypes
import decimal
import logging
import threading
import warnings

# Threads that outlive every request.
pool = concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="bed")

# The visitor, as log lines and tasks see it.
visitor = contextvars.ContextVar("visitor", default="nobody")
# Another one that is only ever read, between others that are set.
tenant = contextvars.ContextVar("tenant", default="house")
collected = contextvars.ContextVar("collected")

ROUNDINGS = {
    "down": decimal.ROUND_DOWN,
    "up": decimal.ROUND_UP,
    "half-even": decimal.ROUND_HALF_EVEN,
    "half-up": decimal.ROUND_HALF_UP,
}


class Collector(logging.Handler):
    """Gives the lines of a request to that request, as the tool bars of frameworks do."""

    def emit(self, record):
        lines = collected.get(None)
        if lines is not None:
            lines.append("%s %s: %s" % (record.levelname, visitor.get(), record.getMessage().split(": ")[-1].split("\n")[0]))


log = logging.getLogger("bed")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(Collector())
logging.captureWarnings(True)
logging.getLogger("py.warnings").addHandler(Collector())
logging.getLogger("py.warnings").propagate = False
warnings.simplefilter("always", UserWarning)


def money(amount, precision, rounding):
    """Shares out an amount as this precision and rounding have it, and once more with the usual ones."""
    with decimal.localcontext() as context:
        context.prec = precision
        context.rounding = ROUNDINGS[rounding]
        third = decimal.Decimal(amount) / 3
        cents = (decimal.Decimal(amount) / 7).quantize(decimal.Decimal("0.01"))
    return "%s %s %s" % (third, cents, decimal.Decimal(amount) / 3)


def in_pool(function, *arguments):
    """Calls a function in a thread that is not the server's, with the context of this one."""
    return pool.submit(contextvars.copy_context().run, function, *arguments).result()


def apart(function, *arguments):
    """The same without the context."""
    return pool.submit(function, *arguments).result()


libc = ctypes.CDLL(None)
START = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
libc.pthread_create.argtypes = [ctypes.c_void_p, ctypes.c_void_p, START, ctypes.c_void_p]
libc.pthread_join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
libc.qsort.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, COMPARE]


def in_c_threads(function, count):
    """Calls function(number) in threads that C has started, which Python meets for the first time."""
    results = {}

    def run(argument):
        # Up to 3.12 threading keeps its object for a thread that it has not started when that thread ends, and gives it
        # to the next one with the same identifier: that of one of the server's, in a child that ends gracefully.
        threading._active.pop(threading.get_ident(), None)
        number = argument or 0
        results[number] = function(number)
        return 0

    start = START(run)
    threads = []
    for number in range(count):
        thread = ctypes.c_ulong()
        if libc.pthread_create(ctypes.byref(thread), None, start, number):
            raise OSError("pthread_create")
        threads.append(thread)
    for thread in threads:
        libc.pthread_join(thread, None)
    return [results.get(number) for number in range(count)]


def sorted_by_c(numbers):
    """Lets C sort, and asks Python for each comparison: callbacks in the thread of the request."""
    array = (ctypes.c_int * len(numbers))(*numbers)
    compare = COMPARE(lambda a, b: a[0] - b[0])
    libc.qsort(array, len(numbers), ctypes.sizeof(ctypes.c_int), compare)
    return list(array)

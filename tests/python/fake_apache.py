"""Stands in for mod_python.apache in tests/rebind31.rs and tests/rebind35.rs: an `init` whose behaviour depends on the interpreter's name."""
import ctypes
import os
import sys
import threading
import time

calls = 0
got = None
interpreter = None


class NoVariables(object):
    """A stand-in for the module contextvars, if absent, with variables that keep nothing."""

    class ContextVar(object):
        def __init__(self, name, default):
            self.default = default

        def get(self):
            return self.default

        def set(self, value):
            pass


class CallBack(object):
    """The callback object: its methods are what the test's requests run."""

    def __init__(self):
        self.local = threading.local()

    def HandlerDispatch(self, code):
        names = {"self": self, "sys": sys, "threading": threading, "os": os, "ctypes": ctypes}
        if isinstance(code, list):
            # A request with phases, whose object stays the same.
            exec(code[0], names)
            return 0
        return eval(code, names)

    def Run(self, code):
        names = {"self": self, "sys": sys, "threading": threading, "os": os, "ctypes": ctypes,
                 "no_variables": NoVariables}
        exec(code, names)
        return names.get("answer")


def init(name, reenter):
    """`reenter` is the address of a C function that asks for an interpreter by name, and says whether it got one."""
    global calls, interpreter, got
    calls += 1
    interpreter = name
    if name.startswith("slow"):
        time.sleep(1)
    elif name.startswith("short"):
        time.sleep(0.05)
    elif name == "broken" and os.path.exists(os.environ["BROKEN_FLAG"]):
        time.sleep(0.2)
        raise ValueError("init of an interpreter that is broken on purpose")
    elif name == "reentrant":
        for kind in (ctypes.CFUNCTYPE, ctypes.PYFUNCTYPE):
            ask = kind(ctypes.c_int, ctypes.c_char_p)(reenter)
            assert ask(b"reentrant") == 0, "the creator got its own interpreter"
            assert ask(b"another") == 1, "the creator was refused another interpreter"
    elif name.startswith("cycle"):
        # Meets the other one's start first; a process has one stage, which its interpreters share.
        other = b"cycle b" if name == "cycle a" else b"cycle a"
        stage = os.environ["CYCLE_STAGE"]
        open(os.path.join(stage, name), "w").close()
        deadline = time.time() + 10
        while not os.path.exists(os.path.join(stage, other.decode("ascii"))) and time.time() < deadline:
            time.sleep(0.01)
        got = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p)(reenter)(other)
    return CallBack()

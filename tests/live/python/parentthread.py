"""A thread in the server's parent alone, for modules that are imported there and that its children inherit."""

import os
import threading


def start(variable, function):
    """Runs the function in a thread, if no process above has; the variable says so to those below."""
    if variable not in os.environ:
        os.environ[variable] = str(os.getpid())
        thread = threading.Thread(target=function)
        thread.daemon = True
        thread.start()

"""Notes that interpreters of the server under test leave for the test that started it.

Imported by sitecustomize in every interpreter, so there is one copy of this module in each: `token` tells apart
interpreters of the same name. Forked children share their parent's main interpreter and so its token; together
with the process it is unique.

Nothing here imports an extension module. In httpd's parent process that would keep libpython in memory over a
graceful restart, which changes what the stock module does there.
"""

import errno
import os
import time

directory = os.environ["MODPYTHON_LIVE_NOTES"]


def random_name(size):
    """So many random bytes, in hexadecimal digits."""
    return "".join("%02x" % byte for byte in bytearray(os.urandom(size)))


token = random_name(8)


def write(event, **fields):
    """One line per event; a single write in append mode, so that lines of many threads do not mix."""
    # Python 2 would round to hundredths of a second.
    fields.update(event=event, pid=os.getpid(), token=token, time="%.6f" % time.time())
    line = "\t".join("%s=%s" % field for field in fields.items())
    log = os.open(os.path.join(directory, "events"), os.O_WRONLY | os.O_APPEND)
    try:
        os.write(log, (line + "\n").encode())
    finally:
        os.close(log)


def flag(name):
    """Whether the test has set a flag of this name."""
    return os.path.exists(os.path.join(directory, name))


def take_flag(name):
    """Takes the flag away, and tells whether it was there: of many threads, one gets it."""
    try:
        os.unlink(os.path.join(directory, name))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True

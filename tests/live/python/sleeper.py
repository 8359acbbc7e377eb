"""A thread that sleeps as long as anybody looks."""

import threading
import time

_thread = threading.Thread(target=time.sleep, args=(3600,))
_thread.daemon = True
_thread.start()

"""Ends whichever process ends its Python in order."""

import atexit
import os

atexit.register(os._exit, 0)

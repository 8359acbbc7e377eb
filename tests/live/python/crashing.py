"""Crashes in the middle of a request."""

import ctypes


def handler(req):
    ctypes.string_at(1)

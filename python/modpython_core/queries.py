"""Mends parse_qsl of mod_python 3.5 for text: it reads a key after it has given the key's memory up, so that short keys
have the value's text (`?x=2` is a field called 2), or any other that is put there meanwhile. Given bytes it does not.
parse_qs keeps each value of a text for good, and none of bytes.
"""

from __future__ import absolute_import

import sys

from modpython_core.remedies import cures


def _bytes(text):
    try:
        # The bytes that came over the connection: mod_python has made a character of each.
        return text.encode('latin-1')
    except UnicodeEncodeError:
        return text.encode('utf-8')


def _text(data):
    return data.decode('utf-8', 'replace')


def _mended(parse_qsl, parse_qs):
    def mended_qsl(query, *flags):
        if not isinstance(query, str):
            return parse_qsl(query, *flags)
        return [(_text(key), _text(value)) for key, value in parse_qsl(_bytes(query), *flags)]

    def mended_qs(query, *flags):
        if not isinstance(query, str):
            return parse_qs(query, *flags)
        found = parse_qs(_bytes(query), *flags)
        return dict((_text(key), [_text(value) for value in values]) for key, values in found.items())

    return mended_qsl, mended_qs


def mend(apache):
    """In Python 2 text is bytes. The functions are built in; those that they take the place of may have been taken over
    by mod_python.util already."""
    builtin = getattr(apache, '_apache', None)
    stock = getattr(builtin, 'parse_qsl', None), getattr(builtin, 'parse_qs', None)
    if sys.version_info[0] < 3 or not cures('queries') or None in stock or not _are_builtin(stock):
        return
    mended = _mended(*stock)
    for module in builtin, sys.modules.get('mod_python.util'):
        for name, old, new in zip(('parse_qsl', 'parse_qs'), stock, mended):
            if getattr(module, name, None) is old:
                setattr(module, name, new)


def _are_builtin(functions):
    return all(isinstance(function, type(len)) for function in functions)

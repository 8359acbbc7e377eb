# Written by write_python24.py out of modpython_core/queries.py, whose comments say why: do not edit.
from modpython_core.python24 import all
import sys
from modpython_core.remedies import cures

def _bytes(text):
    try:
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
        return dict(((_text(key), [_text(value) for value in values]) for key, values in found.items()))
    return (mended_qsl, mended_qs)

def mend(apache):
    builtin = getattr(apache, '_apache', None)
    stock = (getattr(builtin, 'parse_qsl', None), getattr(builtin, 'parse_qs', None))
    if sys.version_info[0] < 3 or not cures('queries') or None in stock or (not _are_builtin(stock)):
        return
    mended = _mended(*stock)
    for module in (builtin, sys.modules.get('mod_python.util')):
        for name, old, new in zip(('parse_qsl', 'parse_qs'), stock, mended):
            if getattr(module, name, None) is old:
                setattr(module, name, new)

def _are_builtin(functions):
    return all((isinstance(function, type(len)) for function in functions))

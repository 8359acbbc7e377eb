"""Built-in functions of later Pythons, for 2.4. The other files of this folder are written by write_python24.py."""

try:
    BaseException = BaseException
except NameError:
    BaseException = Exception


def any(values):
    for value in values:
        if value:
            return True
    return False


def all(values):
    for value in values:
        if not value:
            return False
    return True


def partial(function, *first):
    return lambda *rest: function(*(first + rest))


def wraps(function):
    def named(wrapper):
        for name in ('__module__', '__name__', '__doc__'):
            setattr(wrapper, name, getattr(function, name))
        wrapper.__dict__.update(function.__dict__)
        return wrapper
    return named


def partition(text, separator):
    at = text.find(separator)
    if at < 0:
        return text, '', ''
    return text[:at], separator, text[at + len(separator):]


def rpartition(text, separator):
    at = text.rfind(separator)
    if at < 0:
        return '', '', text
    return text[:at], separator, text[at + len(separator):]

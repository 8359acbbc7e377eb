"""Runs sources that have no files as modules of the package modpython_core.

They are put into sys.modules by name, in an order in which each finds those that it imports, so that no finder has
to be added to sys.meta_path, where every import of the server would pass it.
"""

import sys
import types


class EmbeddedLoader(object):
    """Where tracebacks get the source lines from (linecache asks the module's __loader__)."""

    def __init__(self, sources):
        self.sources = dict((name, source) for name, source, _ in sources)
        self.code = dict((name, code) for name, _, code in sources)

    def get_source(self, name):
        return self.sources[name]

    def get_filename(self, name):
        if self.is_package(name):
            return name + '/__init__.py'
        return name.replace('.', '/') + '.py'

    def is_package(self, name):
        return '.' not in name

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__
        code = self.code.pop(name) or compile(self.get_source(name), self.get_filename(name), 'exec', 0, True)
        exec(code, module.__dict__)


def run(sources):
    """Runs a list of (name, source, its code or None) and returns the last module.

    Those that are there already are not run again.
    """
    loader = EmbeddedLoader(sources)
    for name, _, _ in sources:
        if name in sys.modules:
            continue
        parts = name.split('.')
        module = types.ModuleType(str(name))
        module.__loader__ = loader
        module.__package__ = str(parts[0])
        if loader.is_package(name):
            module.__path__ = []
        if sys.version_info[0] > 2:
            from importlib.machinery import ModuleSpec
            module.__spec__ = ModuleSpec(name, loader, origin='embedded', is_package=loader.is_package(name))
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        if len(parts) > 1:
            setattr(sys.modules[parts[0]], str(parts[1]), module)
    return sys.modules[sources[-1][0]]

#!/usr/bin/env python3
"""Writes the shim for Python 2.4 (python24/), out of the one for all others (modpython_core/): usage, in this folder:

    python3 write_python24.py [--check]

2.4 has no conditional expressions, no `with`, no `try` with both `except` and `finally`, and cannot send a generator a
value, or raise an exception in it: there a generator yields, and then asks for its answer (src/import_module/answers.rs). Nor
has it some functions and methods, which python24/python24.py has in their place. --check compares, and writes nothing.
"""

import ast
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE, TARGET = os.path.join(HERE, 'modpython_core'), os.path.join(HERE, 'python24')
HEAD = '# Written by write_python24.py out of modpython_core/%s, whose comments say why: do not edit.\n'
# Generators that are iterated over, as 2.4's can be.
ITERATED = {('search.py', 'files')}
PYTHON3 = {'compat3.py', 'finding3.py', 'running3.py'}
# Methods and names that 2.4 lacks.
METHODS = {'partition', 'rpartition'}
NAMES = {'any', 'all', 'partial', 'wraps', 'BaseException'}
# The imported modules that 2.4 has; and those imported in a branch for later Pythons, or that may be absent.
MODULES = {'cPickle', 'codecs', 'errno', 'imp', 'marshal', 'mod_python', 'modpython_core', 'os', 'pickle', 'pkgutil', 'random',
           're', 'struct', 'sys', 'thread', 'threading', 'time', 'types', '__builtin__'}
LATER = {'_pickle', 'builtins', 'importlib', 'sysconfig'}
# Their results can close themselves, and no more.
FILES = {'open', 'os.fdopen'}


def statement(text, **parts):
    """The statements of a text, in which names stand for parts."""
    class Fill(ast.NodeTransformer):
        def visit_Name(self, node):
            return parts.get(node.id, node)

    return Fill().visit(ast.parse(text)).body


class Lower(ast.NodeTransformer):
    def __init__(self, file):
        self.file = file
        self.helpers, self.imports = set(), set()
        self.function = []

    def visit_FunctionDef(self, node):
        self.function.append(node.name)
        self.body(node)
        self.function.pop()
        return node

    def visit_Module(self, node):
        return self.body(node)

    visit_ClassDef = visit_Module

    def body(self, node):
        """Without the text about it, which nobody reads in the server."""
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    def visit_ImportFrom(self, node):
        if node.module in ('__future__', 'functools'):
            return None
        self.imports.add(node.module.split('.')[0])
        return node

    def visit_Import(self, node):
        for name in node.names:
            self.imports.add(name.name.split('.')[0])
        return node

    def visit_IfExp(self, node):
        self.generic_visit(node)
        # In lists, so that what is false itself is an answer.
        either = ast.BoolOp(ast.Or(), [ast.BoolOp(ast.And(), [node.test, one(node.body)]), one(node.orelse)])
        return ast.Subscript(either, ast.Constant(0), ast.Load())

    def visit_Name(self, node):
        if node.id in NAMES:
            self.helpers.add(node.id)
        return node

    def visit_Call(self, node):
        if ast.unparse(node) == 'sys._current_frames().items()':
            return ast.parse('core.frames()', mode='eval').body
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            self.helpers.add(node.func.attr)
            return ast.Call(ast.Name(node.func.attr, ast.Load()), [node.func.value] + node.args, [])
        return node

    def visit_ExceptHandler(self, node):
        if node.type is not None and ast.unparse(node.type) == 'BaseException':
            # Exceptions of the site's own need not be of a class.
            node.type = None
        return self.generic_visit(node)

    def visit_Try(self, node):
        self.generic_visit(node)
        for at, handler in enumerate(node.handlers):
            if handler.type is not None and ast.unparse(handler.type) == 'Exception':
                # In 2.4 what ends a program is one, too.
                end = ast.parse('(SystemExit, KeyboardInterrupt)', mode='eval').body
                node.handlers.insert(at, ast.ExceptHandler(end, None, [ast.Raise()]))
                break
        if node.handlers and node.finalbody:
            inner = ast.Try(node.body, node.handlers, node.orelse, [])
            return ast.Try([inner], [], [], node.finalbody)
        return node

    def visit_With(self, node):
        self.generic_visit(node)
        held, = node.items
        name = held.optional_vars
        if isinstance(held.context_expr, ast.Call) and ast.unparse(held.context_expr.func) in FILES:
            begin, end = statement('name = held', name=name, held=held.context_expr), statement('name.close()', name=load(name))
        else:
            begin = statement('lock = held\nname = lock.__enter__()', held=held.context_expr, name=name)
            end = statement('lock.__exit__(None, None, None)')
        return begin + [ast.Try(node.body, [], [], end)]

    def visit_Assign(self, node):
        self.generic_visit(node)
        if isinstance(node.value, ast.Yield):
            return [ast.Expr(node.value)] + statement('target = core.answer()', target=node.targets[0])
        return node

    def visit_Expr(self, node):
        self.generic_visit(node)
        if isinstance(node.value, ast.Yield) and (self.file, self.function[-1]) not in ITERATED:
            return [node] + statement('core.answer()')
        return node


def one(value):
    return ast.List([value], ast.Load())


def load(name):
    return ast.Name(name.id, ast.Load())


def lowered(file):
    with open(os.path.join(SOURCE, file), encoding='utf-8') as source:
        tree = ast.parse(source.read())
    lower = Lower(file)
    lower.visit(tree)
    if not lower.imports <= MODULES | LATER:
        sys.exit('write_python24.py: does 2.4 have these? %s, in %s' % (sorted(lower.imports - MODULES - LATER), file))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import) or names & {name.asname or name.name.split('.')[0] for name in node.names}]
    if lower.helpers:
        tree.body[:0] = ast.parse('from modpython_core.python24 import ' + ', '.join(sorted(lower.helpers))).body
    ast.fix_missing_locations(tree)
    # The letters of byte strings, which ast takes for text.
    return ast.unparse(tree).encode('ascii', 'backslashreplace').decode() + '\n'


def main():
    if sys.version_info < (3, 9):
        sys.exit('write_python24.py: it needs Python 3.9 or later')
    stale = []
    for file in sorted(os.listdir(SOURCE)):
        if not file.endswith('.py') or file in PYTHON3:
            continue
        text, path = lowered(file), os.path.join(TARGET, file)
        if '--check' in sys.argv[1:]:
            # Versions of Python write the same tree otherwise.
            try:
                with open(path, encoding='ascii') as written:
                    is_same = ast.dump(ast.parse(written.read())) == ast.dump(ast.parse(text))
            except (OSError, SyntaxError):
                is_same = False
            if not is_same:
                stale.append(file)
            continue
        with open(path, 'w', encoding='ascii') as out:
            out.write(HEAD % file + text)
    if stale:
        sys.exit('python/python24/ is not what write_python24.py writes (%s): run python/write_python24.py' % ', '.join(stale))


if __name__ == '__main__':
    main()

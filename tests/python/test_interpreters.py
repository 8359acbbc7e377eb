# interpreters: 4
"""The same file in several interpreters at once: once in each, and none waits for another's."""

import os
import shutil
import sys
import tempfile

from harness import case, import_module, run, together

SOURCE = """
import os, time
from harness import clock
# A mark for each interpreter, made while the module runs. The one that waits sees all four, or they did not overlap.
os.mkdir(os.path.join(os.environ['MODPYTHON_CORE_MARKS'], '%d' % id(os)))
end = clock() + 20
while len(os.listdir(os.environ['MODPYTHON_CORE_MARKS'])) < 4:
    assert clock() < end, 'the other interpreters do not come'
    time.sleep(0.001)
complete = True
"""


@case
def one_run_in_each():
    # The interpreters agree on one directory by the process id, which is theirs in common.
    folder = os.path.join(tempfile.gettempdir(), 'modpython-core-shared-%d' % os.getpid())
    marks = os.path.join(folder, 'marks')
    try:
        os.makedirs(marks)
    except OSError:
        assert os.path.isdir(marks)
    os.environ['MODPYTHON_CORE_MARKS'] = marks
    part = os.path.join(folder, 'several.py.%d' % id(sys))
    with open(part, 'w') as out:
        out.write(SOURCE)
    if not os.path.exists(os.path.join(folder, 'several.py')):
        os.rename(part, os.path.join(folder, 'several.py'))
    sys.path.insert(0, folder)
    assert all(result.get() for result in together(*[lambda: import_module('several').complete] * 4))
    assert len(os.listdir(marks)) == 4
    os.mkdir(os.path.join(folder, 'done.%d' % id(sys)))
    if sum(name.startswith('done.') for name in os.listdir(folder)) == 4:
        shutil.rmtree(folder, ignore_errors=True)


run(alone=False)

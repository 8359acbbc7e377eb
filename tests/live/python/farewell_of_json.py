"""As farewell, with an extension module, which keeps libpython in memory."""

import _json
import farewell

_kept = _json, farewell

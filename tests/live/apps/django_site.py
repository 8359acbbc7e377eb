"""The module that mod_python.wsgi imports, and loads again when it is touched."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "djangoshop.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

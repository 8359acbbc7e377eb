"""Makes the databases and compiles the catalogues, before any server starts: seed.py DIRECTORY."""

import os
import sqlite3
import sys

directory = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
os.environ["BED_DATA"] = directory
os.environ["DJANGO_SETTINGS_MODULE"] = "djangoshop.settings"

GOODS = [
    ("tea", "3.99", 40),
    ("coffee", "12.50", 7),
    ("cake", "2.35", 0),
    ("honey", "8.10", 120),
    ("bread", "1.05", 1),
    ("<cheese & ham>", "1999.995", 3),
]


def seed_flask():
    database = sqlite3.connect(os.path.join(directory, "flask.sqlite"))
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price TEXT, stock INTEGER)")
    database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, visitor TEXT, good_id INTEGER, number INTEGER)")
    database.execute("CREATE TABLE notes (visitor TEXT PRIMARY KEY, text TEXT)")
    database.executemany("INSERT INTO goods (name, price, stock) VALUES (?, ?, ?)", GOODS)
    database.commit()
    database.close()


def seed_django():
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", run_syncdb=True, verbosity=0)
    connection.cursor().execute("PRAGMA journal_mode=WAL")
    from django.contrib.auth.models import User
    from djangoshop.models import Good

    for name, price, stock in GOODS:
        Good.objects.create(name=name, price=price[:8], stock=stock)
    for number in range(12):
        User.objects.create_user("user%d" % number, "user%d@example.test" % number, "secret%d" % number)
    User.objects.create_superuser("boss", "boss@example.test", "bosses")
    connection.close()


def compile_catalogues():
    from babel.messages import mofile, pofile

    source = os.path.join(here, "translations")
    for language in os.listdir(source):
        target = os.path.join(directory, "translations", language, "LC_MESSAGES")
        os.makedirs(target)
        with open(os.path.join(source, language, "LC_MESSAGES", "messages.po"), "rb") as file:
            catalogue = pofile.read_po(file, language)
        with open(os.path.join(target, "messages.mo"), "wb") as file:
            mofile.write_mo(file, catalogue)


seed_flask()
seed_django()
compile_catalogues()

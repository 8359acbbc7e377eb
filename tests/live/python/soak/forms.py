"""Published pages: mod_python.publisher calls these functions with the fields of forms."""


def show(req, name, number):
    return "form %s %s" % (text(name), text(number))


def posted(req):
    """mod_python 3.5 has the names of posted fields as bytes, which are no arguments, and the values too."""
    fields = dict((text(field.name), text(field.value)) for field in req.form.list)
    return "form %s %s" % (fields["name"], fields["number"])


def text(value):
    return value if isinstance(value, str) else value.decode("utf-8")

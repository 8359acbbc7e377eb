"""A shop in Flask: signed sessions, translations, templates, a database, forms, decimal money, an async view."""

import asyncio
import datetime
import decimal
import os
import warnings

import sqlalchemy as sa
import support
from flask import Flask, abort, flash, get_flashed_messages, jsonify, redirect, render_template, request, session, url_for
from flask_babel import Babel, format_currency, format_date, format_decimal, gettext, ngettext
from sqlalchemy import orm

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ["BED_DATA"]
Base = orm.declarative_base()


class Good(Base):
    __tablename__ = "goods"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String)
    price = sa.Column(sa.String)
    stock = sa.Column(sa.Integer)
    orders = orm.relationship("Order", back_populates="good")


class Order(Base):
    __tablename__ = "orders"
    id = sa.Column(sa.Integer, primary_key=True)
    visitor = sa.Column(sa.String)
    good_id = sa.Column(sa.ForeignKey("goods.id"))
    number = sa.Column(sa.Integer)
    good = orm.relationship("Good", back_populates="orders")


engine = sa.create_engine("sqlite:///%s/flask.sqlite" % DATA, connect_args={"timeout": 60})
# One for each thread, by threading.local.
database = orm.scoped_session(orm.sessionmaker(bind=engine))

site = Flask("flaskshop", template_folder=os.path.join(HERE, "templates"))
site.config.update(
    SECRET_KEY="not so secret",
    BABEL_TRANSLATION_DIRECTORIES=os.path.join(DATA, "translations"),
    BABEL_DEFAULT_TIMEZONE="UTC",
    JSON_SORT_KEYS=True,
)
babel = Babel(site)


@babel.localeselector
def locale():
    return request.accept_languages.best_match(["en", "de", "fr"], "en")


@site.before_request
def begin():
    support.visitor.set(session.get("user", "nobody"))
    support.collected.set([])


@site.teardown_request
def end(error):
    database.remove()


@site.route("/")
def index():
    name = request.args.get("name") or session.get("user") or "you"
    return render_template("index.html", name=name, goods=database.query(Good).order_by(Good.id).all(),
                           price=lambda good: format_currency(decimal.Decimal(good.price), "EUR"),
                           day=format_date(datetime.date(2020, 2, 29), "full"),
                           money=format_decimal(decimal.Decimal("1234567.891")))


@site.route("/login", methods=["POST"])
def login():
    session["user"] = request.form["user"]
    session["cart"] = {}
    flash("in as %s" % request.form["user"])
    return redirect(url_for("cart"))


@site.route("/logout")
def logout():
    session.clear()
    return redirect(url_for("index"))


@site.route("/add", methods=["POST"])
def add():
    if "user" not in session:
        abort(403)
    good = database.get(Good, int(request.form["good"]))
    if good is None:
        abort(404)
    session["cart"] = dict(session["cart"], **{str(good.id): session["cart"].get(str(good.id), 0) + int(request.form["number"])})
    support.log.info("added %s", good.name)
    return jsonify(user=session["user"], cart=session["cart"], lines=support.collected.get())


@site.route("/cart")
def cart():
    goods = {str(good.id): good for good in database.query(Good)}
    lines = [(goods[key].name, ngettext("%(num)d piece", "%(num)d pieces", number), decimal.Decimal(goods[key].price) * number)
             for key, number in sorted(session.get("cart", {}).items())]
    return render_template("cart.html", user=session.get("user"), lines=lines, messages=get_flashed_messages(),
                           total=format_currency(sum((line[2] for line in lines), decimal.Decimal(0)), "EUR"))


@site.route("/order", methods=["POST"])
def order():
    """Writes, looks, and takes it back: nobody else may see it meanwhile."""
    who = session.get("user", "nobody")
    for key, number in sorted(session.get("cart", {}).items()):
        database.add(Order(visitor=who, good_id=int(key), number=number))
    database.flush()
    found = database.query(Order).filter_by(visitor=who).join(Good).order_by(Good.name).all()
    answer = jsonify(visitor=support.visitor.get(), orders=[(row.good.name, row.number) for row in found])
    database.rollback()
    return answer


@site.route("/note", methods=["POST"])
def note():
    database.execute(sa.text("INSERT OR REPLACE INTO notes VALUES (:visitor, :text)"),
                     {"visitor": request.form["user"], "text": request.form["text"]})
    database.commit()
    row = database.execute(sa.text("SELECT text FROM notes WHERE visitor = :visitor"), {"visitor": request.form["user"]})
    return jsonify(text=row.scalar())


@site.route("/money/<amount>/<int:precision>/<rounding>")
def money(amount, precision, rounding):
    return jsonify(
        here=support.money(amount, precision, rounding),
        pool=support.in_pool(support.money, amount, precision + 2, rounding),
        after=str(decimal.Decimal(1) / 3),
        precision=decimal.getcontext().prec,
    )


@site.route("/async/<name>")
async def asynchronous(name):
    support.visitor.set(name)

    async def part(number):
        support.collected.set([])
        with decimal.localcontext() as context:
            context.prec = number + 3
            await asyncio.sleep(0)
            support.log.info("part %d", number)
            third = str(decimal.Decimal(2) / 3)
        return [support.visitor.get(), support.tenant.get(), third, support.collected.get()]

    parts = await asyncio.gather(*(part(number) for number in range(4)))
    return jsonify(parts=parts, precision=decimal.getcontext().prec, lines=support.collected.get())


@site.route("/pool/<name>")
def pooled(name):
    support.visitor.set(name)
    support.log.info("before")
    return jsonify(
        inside=support.in_pool(support.visitor.get),
        apart=support.apart(support.visitor.get),
        precision=support.apart(lambda: decimal.getcontext().prec),
        lines=support.collected.get(),
    )


@site.route("/c/<name>/<int:count>")
def c(name, count):
    support.visitor.set(name)
    found = support.in_c_threads(lambda number: [number, support.visitor.get(), str(decimal.Decimal(number) / 7)], count)
    return jsonify(threads=found, numbers=support.sorted_by_c([(7 * n + len(name)) % 23 for n in range(23)]),
                   here=support.visitor.get())


@site.route("/warn/<name>")
def warn(name):
    support.visitor.set(name)
    warnings.warn("old use by %s" % name)
    support.log.warning("warned")
    return jsonify(lines=support.collected.get())


@site.route("/stream/<name>")
def stream(name):
    support.visitor.set(name)

    def pieces():
        for number in range(5):
            yield "%s %s %s\n" % (number, name, gettext("Total"))

    from flask import stream_with_context

    return site.response_class(stream_with_context(pieces()), mimetype="text/plain")


@site.route("/fails/<name>")
def fails(name):
    try:
        raise KeyError(name)
    except KeyError as error:
        return jsonify(handled=str(error)), 409


@site.errorhandler(404)
@site.errorhandler(403)
def refused(error):
    return "%s %s" % (error.code, gettext("Sold out")), error.code


import asyncio
import datetime
import decimal
import warnings

import support
from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_required
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Count, F, Sum
from django.http import HttpResponse, HttpResponseForbidden, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from djangoshop.models import Good, Order


class OrderForm(forms.Form):
    email = forms.EmailField()
    number = forms.IntegerField(min_value=1, max_value=99)
    day = forms.DateField(required=False)
    price = forms.DecimalField(max_digits=6, decimal_places=2)


def index(request):
    moment = datetime.datetime(2020, 2, 29, 13, 37, tzinfo=datetime.timezone.utc)
    return render(request, "shop.html", {"goods": Good.objects.order_by("id"), "moment": moment, "number": decimal.Decimal("1234567.891")})


def form(request):
    order = OrderForm(request.POST or None)
    if request.method == "POST" and order.is_valid():
        return JsonResponse({"language": translation.get_language(), **{key: str(value) for key, value in order.cleaned_data.items()}})
    return render(request, "form.html", {"form": order})


def log_in(request):
    user = authenticate(request, username=request.POST["user"], password=request.POST["password"])
    if user is None:
        return HttpResponseForbidden(_("This account is inactive."))
    login(request, user)
    messages.success(request, _("Welcome,") + " " + user.username)
    return redirect("cart")


def log_out(request):
    logout(request)
    return redirect("index")


@login_required(login_url="/django/")
def cart(request):
    if request.method == "POST":
        good = get_object_or_404(Good, pk=request.POST["good"])
        lines = request.session.setdefault("cart", {})
        lines[str(good.pk)] = lines.get(str(good.pk), 0) + int(request.POST["number"])
        request.session.modified = True
        messages.info(request, good.name)
        return redirect("cart")
    lines = [(Good.objects.get(pk=pk), number) for pk, number in sorted(request.session.get("cart", {}).items())]
    return render(request, "cart.html", {"lines": [(good, number, good.price * number) for good, number in lines]})


@login_required(login_url="/django/")
def order(request):
    """Writes, looks, and takes it back: nobody else may see it meanwhile."""
    with transaction.atomic():
        for pk, number in sorted(request.session.get("cart", {}).items()):
            Order.objects.create(visitor=request.user.username, good_id=int(pk), number=number)
        mine = Order.objects.filter(visitor=request.user.username).select_related("good").order_by("good__name")
        found = [[line.good.name, line.number] for line in mine]
        total = mine.aggregate(total=Sum(F("number") * F("good__price")))["total"]
        transaction.set_rollback(True)
    return JsonResponse({"user": request.user.username, "orders": found, "total": str(total), "visitor": support.visitor.get()})


def statistics(request):
    goods = Good.objects.annotate(count=Count("orders")).values_list("name", "count", "stock").order_by("-stock")
    return JsonResponse({"goods": list(goods), "language": translation.get_language()})


def money(request, amount, precision, rounding):
    with translation.override("fr"):
        french = formats.number_format(decimal.Decimal(amount), 2)
    return JsonResponse({
        "here": support.money(amount, precision, rounding),
        "pool": support.in_pool(support.money, amount, precision + 2, rounding),
        "french": french,
        "own": formats.number_format(decimal.Decimal(amount), 2),
        "precision": decimal.getcontext().prec,
    })


async def asynchronous(request, name):
    support.visitor.set(name)

    async def part(number):
        with decimal.localcontext() as context, translation.override(["de", "fr", "pl", "ja"][number]):
            context.prec = number + 3
            await asyncio.sleep(0)
            return [support.visitor.get(), support.tenant.get(), _("Monday"), str(decimal.Decimal(2) / 3)]

    parts = await asyncio.gather(*(part(number) for number in range(4)))
    return JsonResponse({"parts": parts, "own": _("Monday"), "language": translation.get_language(), "precision": decimal.getcontext().prec})


def zones(request, zone):
    moment = datetime.datetime(2020, 2, 29, 23, 37, tzinfo=datetime.timezone.utc)
    with timezone.override(zone):
        there = formats.localize(timezone.localtime(moment))
    return JsonResponse({"there": there, "here": formats.localize(timezone.localtime(moment))})


def mail(request, name):
    message = EmailMessage(_("Welcome,") + name, _("Password"), "shop@example.test", ["%s@example.test" % name])
    return JsonResponse({"subject": message.subject, "body": message.body, "to": message.recipients()})


def warn(request, name):
    support.visitor.set(name)
    warnings.warn("old use by %s" % name)
    support.log.info("warned %s", ngettext("%(count)d day", "%(count)d days", 2) % {"count": 2})
    return JsonResponse({"lines": support.collected.get()})


def c(request, name, count):
    support.visitor.set(name)
    found = support.in_c_threads(lambda number: [number, support.visitor.get(), translation.get_language()], count)
    return JsonResponse({"threads": found, "here": [support.visitor.get(), translation.get_language()]})


def stream(request, name):
    support.visitor.set(name)
    return StreamingHttpResponse(("%d %s %s\n" % (number, name, _("Monday")) for number in range(5)), content_type="text/plain")


def fails(request, name):
    support.visitor.set(name)
    raise LookupError(name)


def failed(request):
    return HttpResponse("500 %s %s" % (_("Error"), support.visitor.get()), status=500)

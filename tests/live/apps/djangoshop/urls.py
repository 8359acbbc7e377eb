from django.contrib import admin
from django.urls import path
from djangoshop import views

urlpatterns = [
    path("", views.index, name="index"),
    path("admin/", admin.site.urls),
    path("form", views.form),
    path("login", views.log_in),
    path("logout", views.log_out),
    path("cart", views.cart, name="cart"),
    path("order", views.order),
    path("statistics", views.statistics),
    path("money/<amount>/<int:precision>/<rounding>", views.money),
    path("async/<name>", views.asynchronous),
    path("zone/<path:zone>", views.zones),
    path("mail/<name>", views.mail),
    path("warn/<name>", views.warn),
    path("c/<name>/<int:count>", views.c),
    path("stream/<name>", views.stream),
    path("fails/<name>", views.fails),
]
handler500 = "djangoshop.views.failed"

from django.db import models
from django.utils.translation import gettext_lazy


class Good(models.Model):
    name = models.CharField(gettext_lazy("name"), max_length=50)
    price = models.DecimalField(gettext_lazy("price"), max_digits=10, decimal_places=3)
    stock = models.IntegerField(default=0)


class Order(models.Model):
    visitor = models.CharField(max_length=50)
    good = models.ForeignKey(Good, on_delete=models.CASCADE, related_name="orders")
    number = models.PositiveIntegerField()

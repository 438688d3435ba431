from django.conf import settings
from django.db import models

if settings.RIVAL == "django-cache-machine":
    from caching.base import CachingManager, CachingMixin

    bases, manager = (CachingMixin, models.Model), CachingManager
else:
    bases, manager = (models.Model,), models.Manager


class Thing(*bases):
    id = models.BigIntegerField(primary_key=True)
    user_id = models.BigIntegerField()
    name = models.CharField(max_length=100)
    price = models.FloatField()
    amount = models.BigIntegerField()

    objects = manager()

    class Meta:
        managed = False
        db_table = "stuff"
        base_manager_name = "objects"

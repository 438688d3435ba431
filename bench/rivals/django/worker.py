"""A worker that reads and saves things through Django: see worker_test.go, whose orders it takes."""

import json
import os
import random
import struct
import sys
import threading
import time
from importlib import metadata
from urllib.parse import urlsplit

CLIENTS_EACH = 3
PER_LIST = 20
TTL = 300


def configure(job):
    """Sets Django up for a rival, and returns the packages that are in use."""
    from django.conf import settings

    rival, store = job["rival"], job["store"]
    dsn = urlsplit(job["dsn"])
    apps, packages, more = ["stuff"], ["Django", "psycopg2"], {}
    backend = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    if store == "memcached":
        backend = {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": job["memcached"]}
        packages.append("pymemcache")
    if store == "Redis":
        backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://%s/0" % job["redis"]}
        packages += ["django-redis", "redis"]
    if rival == "django-cachalot":
        apps.append("cachalot")
        packages.append("django-cachalot")
    if rival == "django-cacheops":
        apps.append("cacheops")
        packages = ["Django", "psycopg2", "django-cacheops", "redis"]
        more["CACHEOPS_REDIS"] = "redis://%s/1" % job["redis"]
        more["CACHEOPS"] = {"stuff.thing": {"ops": {"fetch", "get"}, "timeout": TTL}}
    if rival == "django-cache-machine":
        packages.append("django-cache-machine")
        if store == "Redis":
            more["CACHE_MACHINE_USE_REDIS"] = True
            more["REDIS_BACKEND"] = "redis://%s/?db=0" % job["redis"]
    settings.configure(
        RIVAL=rival,
        SECRET_KEY="none",
        USE_TZ=True,
        INSTALLED_APPS=apps,
        CACHES={"default": dict(backend, TIMEOUT=TTL)},
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": dsn.path[1:],
                "USER": dsn.username,
                "HOST": dsn.hostname,
                "PORT": dsn.port,
            }
        },
        **more
    )
    import django

    django.setup()
    return packages


def versions(packages):
    return ["%s %s" % (name, metadata.version(name)) for name in packages]


class Service:
    """What a program does that leaves caching to what is installed."""

    def __init__(self):
        from stuff.models import Thing

        self.Thing = Thing

    def list(self, user):
        return list(self.Thing.objects.filter(user_id=user).order_by("id"))

    def save(self, row, users, amount):
        self.Thing(id=row + 1, user_id=row % users, name="thing number", price=1.5, amount=amount).save()


class ByHand(Service):
    """cache.get, else the query and cache.set; a signal that deletes."""

    def __init__(self):
        super().__init__()
        from django.core.cache import cache
        from django.db.models.signals import post_save

        self.cache = cache
        post_save.connect(self.saved, sender=self.Thing)

    def list(self, user):
        got = self.cache.get("list:%d" % user)
        if got is None:
            got = super().list(user)
            self.cache.set("list:%d" % user, got, TTL)
        return got

    def saved(self, instance, **_):
        self.cache.delete("list:%d" % instance.user_id)


def read(service, order, user):
    got = service.list(user)
    if len(got) != order["rows"] // order["users"]:
        raise ValueError("%d rows of user %d" % (len(got), user))
    return got


def hit(service, order):
    times = []
    for _ in range(order["reads"]):
        start = time.perf_counter_ns()
        read(service, order, order["user"])
        times.append(time.perf_counter_ns() - start)
    return {"times": times}


def mixed(service, order):
    with open(order["ops"]) as f:
        ops = json.load(f)
    saved, reads, stale = {}, 0, 0
    start = time.perf_counter()
    for i, op in enumerate(ops):
        if op < 0:
            service.save(-1 - op, order["users"], i + 1)
            saved[-op] = i + 1
            continue
        reads += 1
        stale += any(t.amount != saved.get(t.id, 0) for t in read(service, order, op))
    return {"seconds": time.perf_counter() - start, "reads": reads, "stale": stale}


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


CALL = struct.Struct("<qqii%dI" % PER_LIST)
PADDING = [0] * (PER_LIST - 1)


class Witness:
    """A process whose clients write down what they did. One save is made after another."""

    def __init__(self, service, order):
        self.service, self.order = service, order
        self.until = now() + int(order["seconds"] * 1e9)
        self.saving, self.versions = threading.Lock(), {}
        self.history, self.failed, self.failure = [], 0, ""

    def client(self, seed):
        from django.db import connections

        o, r = self.order, random.Random(seed)
        while now() < self.until:
            user = r.randrange(o["users"])
            try:
                if r.random() < o["saves"]:
                    i = r.randrange(PER_LIST // o["of"]) * o["of"] + o["process"]
                    call = self.save(user + i * o["users"])
                else:
                    call = self.look(user)
            except Exception as e:
                self.failed += 1
                self.failure = "%s: %s" % (type(e).__name__, e)
                continue
            self.history.append(call)
        connections.close_all()

    def save(self, row):
        with self.saving:
            version = self.versions.get(row, 0) + 1
            self.versions[row] = version  # if it fails too, since it may have been made
            begin = now()
            self.service.save(row, self.order["users"], version)
            return CALL.pack(begin, now(), 1, row, version, *PADDING)

    def look(self, user):
        begin = now()
        got = read(self.service, self.order, user)
        end = now()
        return CALL.pack(begin, end, 0, user, *[t.amount for t in got])

    def run(self):
        first = self.order["process"] * CLIENTS_EACH
        threads = [threading.Thread(target=self.client, args=(first + i,)) for i in range(CLIENTS_EACH)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        with open(self.order["history"], "wb") as f:
            f.write(b"".join(self.history))
        return {"failed": self.failed, "failure": self.failure}


ORDERS = {"hit": hit, "mixed": mixed, "stale": lambda service, order: Witness(service, order).run()}


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    try:
        packages = configure(json.loads(os.environ["LARDER_RIVALS_JOB"]))
        from django.conf import settings

        service = ByHand() if settings.RIVAL == "Django, by hand" else Service()
        say({"version": ["Python " + sys.version.split()[0]] + versions(packages)})
    except Exception as e:
        say({"error": "%s: %s" % (type(e).__name__, e)})
        return
    for line in sys.stdin:
        order = json.loads(line)
        try:
            say(ORDERS[order["do"]](service, order))
        except Exception as e:
            say({"error": "%s: %s" % (type(e).__name__, e)})


main()

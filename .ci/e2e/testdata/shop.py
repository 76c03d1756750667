#!/usr/bin/env python3
"""A shop in Django, as small as one can be: a page that hands out the CSRF cookie, and orders.

Listens on a free port of 127.0.0.1 and prints it as its first line.
"""
import json

from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="for the end-to-end tests alone",
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    # nginx says whether the client came by TLS; then Django wants a Referer of this host, too
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
)

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.middleware.csrf import get_token  # noqa: E402
from django.urls import path  # noqa: E402

accepted = []


def page(request):
    get_token(request)  # makes the middleware set the cookie
    return HttpResponse("<title>Shop</title><p>What would you like?\n")


def orders(request):
    if request.method != "POST":
        return JsonResponse(accepted, safe=False)
    accepted.append({"id": len(accepted) + 1, "body": json.loads(request.body)})
    return JsonResponse({"order": len(accepted)}, status=201)


urlpatterns = [path("shop", page), path("orders", orders)]

server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
server.daemon_threads = True
server.set_app(get_wsgi_application())
print(server.server_port, flush=True)
server.serve_forever()

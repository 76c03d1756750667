"""Requests by one of Python's HTTP clients: client.py KIND URL [PROXY CA].

KIND is requests, http.client or urllib. What came back is printed, a line each.
"""
import http.client
import ssl
import sys
import urllib.parse
import urllib.request

kind, url = sys.argv[1:3]
proxy, ca = (sys.argv[3:5] + ["", ""])[:2] if len(sys.argv) > 4 else ("", sys.argv[3])
where = urllib.parse.urlsplit(url)
tls = ssl.create_default_context(cafile=ca) if where.scheme == "https" else None


def say(status, body):
    print(status, body.decode(), flush=True)


def parts():
    yield b"first "
    yield b"python-chunked"


if kind == "requests":
    import requests

    s = requests.Session()
    s.trust_env, s.verify = False, ca
    if proxy:
        s.proxies = {"http": "http://" + proxy, "https": "http://" + proxy}
    for r in (
        s.get(url + "/get?x=%7E&y=a+b"),
        s.post(url + "/post", json={"marker": "python-json"}, headers={"X-lower": "1", "x-UPPER": "2"}),
        s.post(url + "/chunked", data=parts()),
        s.put(url + "/put", data=b"\x00\xffpython-bytes"),
        s.post(url + "/form", data={"marker": "python-form", "a": "b c"}),
        s.post(url + "/upload", files={"f": ("a.txt", b"python-file")}),
        s.request("DELETE", url + "/delete"),
        s.head(url + "/head"),
    ):
        say(r.status_code, r.content)
elif kind == "http.client":
    if not proxy:
        c = http.client.HTTPSConnection(where.netloc, context=tls) if tls else http.client.HTTPConnection(where.netloc)
        target = ""
    elif tls:
        c = http.client.HTTPSConnection(proxy, context=tls)
        c.set_tunnel(where.hostname, where.port)
        target = ""
    else:
        c = http.client.HTTPConnection(proxy)
        target = url
    for method, path, body, headers in (
        ("GET", "/get", None, {}),
        ("POST", "/post", b'{"marker":"python-json"}', {"Content-Type": "application/json"}),
        ("POST", "/chunked", parts(), {}),
        ("PATCH", "/put", b"\x00\xffpython-bytes", {"X-Twice": "a"}),
        ("DELETE", "/delete", None, {}),
        ("HEAD", "/head", None, {}),
    ):
        c.request(method, target + path, body, headers)
        r = c.getresponse()
        say(r.status, r.read())
else:
    handlers = [urllib.request.ProxyHandler({"http": "http://" + proxy, "https": "http://" + proxy} if proxy else {})]
    if tls:
        handlers.append(urllib.request.HTTPSHandler(context=tls))
    opener = urllib.request.build_opener(*handlers)
    for method, path, body in (("GET", "/get", None), ("POST", "/post", b'{"marker":"python-json"}'), ("PUT", "/put", b"\x00\xffpython-bytes")):
        r = opener.open(urllib.request.Request(url + path, data=body, method=method))
        say(r.status, r.read())

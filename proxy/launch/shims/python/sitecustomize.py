# why403: makes Python clients that ignore the proxy of the environment use it:
# http.client, and aiohttp unless it is told otherwise. Then it runs the
# sitecustomize that would have been found without this one.
import os
import sys


def _exceptions():
    text = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return [e.strip().lstrip("*").lstrip(".").lower() for e in text.replace(",", " ").split()]


def _direct(host):
    host = host.lower()
    return any(host == e or host.endswith("." + e) for e in _exceptions() if e)


def _http_client(mod):
    from urllib.parse import urlsplit

    proxy = urlsplit(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or "")
    if proxy.scheme != "http" or not proxy.hostname:
        return
    there = (proxy.hostname, proxy.port or 80)
    plain = mod.HTTPConnection.connect
    kinds = (mod.HTTPConnection, getattr(mod, "HTTPSConnection", None))

    def connect(self):
        # Libraries that bring a proxy of their own derive a class, or name a tunnel.
        if type(self) in kinds and not self._tunnel_host and (self.host, self.port) != there and not _direct(self.host):
            self.set_tunnel(self.host, self.port)
            self.host, self.port = there
        return plain(self)

    mod.HTTPConnection.connect = connect


def _aiohttp(mod):
    plain = mod.ClientSession.__init__

    def init(self, *args, **kwargs):
        kwargs.setdefault("trust_env", True)
        plain(self, *args, **kwargs)

    mod.ClientSession.__init__ = init


class _Finder(object):
    # Runs a patch when its module has been loaded; loads nothing itself.
    patches = {"http.client": _http_client, "aiohttp.client": _aiohttp}

    def find_spec(self, name, path=None, target=None):
        patch = self.patches.get(name)
        if patch is None:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                break
        else:
            return None
        load = getattr(spec.loader, "exec_module", None)
        if load is None:
            return spec

        def exec_module(mod):
            load(mod)
            try:
                patch(mod)
            except Exception:  # a client that we do not know: it works as it did
                pass

        try:
            spec.loader.exec_module = exec_module
        except AttributeError:
            pass
        return spec


def _chain():
    here = os.path.dirname(os.path.abspath(__file__))
    others = [p for p in sys.path if os.path.abspath(p or ".") != here]
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    mod = module_from_spec(spec)
    sys.modules["sitecustomize"] = mod
    spec.loader.exec_module(mod)


if sys.version_info >= (3, 6):
    if not getattr(sys, "_why403", False):
        sys._why403 = True
        sys.meta_path.insert(0, _Finder())
    _chain()

"""The way to a server: address, key, proxy, headers, limits, and which failures may pass."""

from __future__ import annotations

import email.utils
import ipaddress
import os
import time
from collections.abc import Mapping

import httpx

from rscovlm.errors import ModelError
from rscovlm.models.serving import Serving

KEY_VARIABLES = ("RSCOVLM_API_KEY", "OPENAI_API_KEY")

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529, *range(520, 528)})
"""Statuses of failures that may pass; 520 to 527 are Cloudflare's, 529 says overloaded."""

REFUSED = frozenset({401, 403, 404, 405})
"""Statuses that every request would get, where none was answered yet."""

UNSUPPORTED = frozenset({400, 422, 501})
"""Statuses of a request for something that a server does not have."""

LONGEST_WAIT_S = 60.0

_SPENT = ("insufficient_quota", "exceeded your current quota", "billing", "insufficient credits")


def address(url: str) -> httpx.URL:
    """A server's address, checked.

    Raises:
        ModelError: for what is no address, names no host, or a port that does not exist.
    """
    try:
        parsed = httpx.URL(url)
        port = parsed.port
    except (httpx.InvalidURL, ValueError) as error:
        raise ModelError(f"{url!r} is not a URL: {error}; give http://HOST:PORT/v1#NAME") from error
    if not parsed.host:
        raise ModelError(f"{url!r} names no host; give http://HOST:PORT/v1#NAME")
    if port is not None and not 0 < port < 65_536:
        raise ModelError(f"{url!r}: there is no port {port}; ports are 1 to 65535")
    return parsed


def without_credentials(url: str) -> str:
    """A URL fit for messages and provenance."""
    return str(address(url).copy_with(username=None, password=None)).rstrip("/")


def open_client(url: str, serving: Serving) -> httpx.AsyncClient:
    """A client for a server; a server on this machine is reached without a proxy.

    Raises:
        ModelError: for an address, a key or a proxy that cannot be used.
    """
    base = address(url.rstrip("/") + "/")
    try:
        return httpx.AsyncClient(
            base_url=base,
            headers={**_authorization(), **serving.headers},
            timeout=httpx.Timeout(serving.timeout_s, connect=min(10.0, serving.timeout_s)),
            limits=httpx.Limits(max_connections=serving.in_flight),
            trust_env=not _is_here(base.host),
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise ModelError(
            f"the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {error}; unset it, or name "
            "the server in NO_PROXY"
        ) from error


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authorization() -> dict[str, str]:
    name = next((name for name in KEY_VARIABLES if os.environ.get(name, "").strip()), None)
    if name is None:
        return {}
    key = os.environ[name].strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ModelError(f"the key in {name} holds spaces, line breaks or characters that are not ASCII")
    return {"Authorization": f"Bearer {key}"}


def hint(status: int) -> str:
    """Advice on a refusal."""
    if status in (401, 403):
        return f"; set the key in {KEY_VARIABLES[0]}"
    return "; the address usually ends in /v1" if status == 404 else ""


def may_pass(status: int, failure: str) -> bool:
    """Whether a request that failed may succeed later; no waiting refills an account."""
    return status in RETRIED and not (status == 429 and any(word in failure.lower() for word in _SPENT))


def asked_wait_s(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks to wait, by ``retry-after-ms`` or Retry-After."""
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        return retry_after_s(headers.get("retry-after"))


def retry_after_s(value: str | None) -> float:
    """Seconds to wait by a Retry-After header, which holds seconds or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0

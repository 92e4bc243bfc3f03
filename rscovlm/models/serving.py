"""How requests are sent to a server: limits and headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rscovlm.errors import ModelError


@dataclass(frozen=True)
class Serving:
    """How requests are sent to a server.

    Attributes:
        timeout_s: whole time of one attempt at a request, from sending it to the last byte of the reply.
        attempts: of a request that fails for a passing reason (429, 5xx, connection lost).
        in_flight: requests at the same time.
        headers: sent with every request, beside the key.

    Raises:
        ModelError: for a value out of range.
    """

    timeout_s: float = 600.0
    attempts: int = 6
    in_flight: int = 16
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= 86_400:
            raise ModelError(f"--timeout {self.timeout_s:g} is not above 0 and at most 86400 seconds")
        if self.attempts < 1 or self.in_flight < 1:
            raise ModelError("--attempts and --in-flight are at least 1")
        for name, value in self.headers.items():
            _check_header(name, value, f"--header {name!r}")


def read_headers(lines: list[str] | None) -> dict[str, str]:
    """Headers from ``NAME: VALUE`` lines.

    Raises:
        ModelError: for a line of another form.
    """
    headers = {}
    for line in lines or []:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ModelError(f"--header {line!r} is no header; give 'NAME: VALUE'")
        headers[name.strip()] = value.strip()
    return headers


def _check_header(name: str, value: str, source: str) -> None:
    letters = name.replace("-", "").replace("_", "")
    if not (letters.isascii() and letters.isalnum()):
        raise ModelError(f"{source}: not the name of a header")
    if not (value.isascii() and value.isprintable()):
        raise ModelError(f"{source}: its value holds line breaks or characters that are not ASCII")

"""Limits and headers of requests to a server."""

from rscovlm.models.serving import Serving, read_headers


def test_the_usual_limits():
    assert Serving() == Serving(timeout_s=600.0, attempts=6, in_flight=16)


def test_headers_are_lines_of_name_and_value():
    assert read_headers(["X-A: b: c", "Accept:d"]) == {"X-A": "b: c", "Accept": "d"}
    assert read_headers(None) == {}

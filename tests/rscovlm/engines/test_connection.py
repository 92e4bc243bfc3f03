"""Addresses, keys, proxies and headers: what cannot be used is one clear line."""

import email.utils
import time

import pytest

from rscovlm.engines import connection
from rscovlm.errors import ModelError
from rscovlm.models.serving import Serving, read_headers


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in (*connection.KEY_VARIABLES, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http:///v1", "names no host"),
        ("http://host:99999/v1", "ports are 1 to 65535|is not a URL"),
        ("http://host:0/v1", "there is no port 0"),
        ("http://host:http/v1", "is not a URL"),
        ("http://[::1/v1", "is not a URL"),
    ],
)
def test_what_is_no_address_is_one_clear_line(url, says):
    with pytest.raises(ModelError, match=says):
        connection.open_client(url, Serving())


@pytest.mark.parametrize("key", ["se same", "ses\name", "schlüssel"])
def test_a_key_that_no_header_can_hold_names_its_variable_and_not_itself(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match="the key in OPENAI_API_KEY") as error:
        connection.open_client("http://host/v1", Serving())
    assert key not in str(error.value)


def test_line_breaks_around_a_key_are_not_part_of_it(monkeypatch):
    monkeypatch.setenv("RSCOVLM_API_KEY", " sesame\r\n")
    client = connection.open_client("http://host/v1", Serving())
    assert client.headers["Authorization"] == "Bearer sesame"


def test_headers_go_with_every_request_and_may_replace_the_key(monkeypatch):
    monkeypatch.setenv("RSCOVLM_API_KEY", "sesame")
    headers = read_headers(["X-Title: maps", "Authorization: Basic eA=="])
    client = connection.open_client("http://host/v1", Serving(headers=headers))
    assert (client.headers["X-Title"], client.headers["Authorization"]) == ("maps", "Basic eA==")


@pytest.mark.parametrize("line", ["nothing", ": empty", "two words: x", "X-A: line\nbreak", "X-A: ü"])
def test_a_header_that_is_none_is_refused(line):
    with pytest.raises(ModelError, match="--header"):
        Serving(headers=read_headers([line]))


@pytest.mark.parametrize(
    ("values", "says"),
    [({"timeout_s": 0}, "--timeout"), ({"attempts": 0}, "--attempts"), ({"in_flight": 0}, "--in-flight")],
)
def test_limits_have_a_range(values, says):
    with pytest.raises(ModelError, match=says):
        Serving(**values)


def test_a_proxy_that_cannot_be_used_is_one_clear_line_and_none_is_used_for_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy")
    with pytest.raises(ModelError, match="the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used"):
        connection.open_client("http://far.example/v1", Serving())
    for here in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:80/v1"):
        connection.open_client(here, Serving())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 524, 529])
def test_passing_failures_may_be_tried_again(status):
    assert connection.may_pass(status, "HTTP: busy")


@pytest.mark.parametrize(
    ("status", "failure"),
    [(400, "bad"), (402, "Insufficient credits"), (413, ""), (429, "You exceeded your current quota")],
)
def test_what_cannot_succeed_is_not_tried_again(status, failure):
    assert not connection.may_pass(status, failure)


def test_waits_that_a_server_asks_for_are_seconds_milliseconds_or_a_date():
    assert connection.asked_wait_s({"retry-after": "12"}) == 12
    assert connection.asked_wait_s({"retry-after-ms": "250", "retry-after": "12"}) == 0.25
    assert connection.asked_wait_s({"retry-after-ms": "soon", "retry-after": "12"}) == 12
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 25 < connection.asked_wait_s({"retry-after": date}) <= 30
    assert connection.asked_wait_s({}) == 0

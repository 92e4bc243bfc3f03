"""The HTML report: one file, nothing from outside, and nothing of a model's text that a browser obeys."""

import os
import re
from html.parser import HTMLParser

import pytest

from zoom_chain.chat import Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO, QWEN3_VL
from zoom_chain.report import render_report, write_report

ATTACK = '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&</style></title>'


class Elements(HTMLParser):
    """All elements and the text of a page; void ones close themselves, and the rest must balance."""

    def __init__(self, page):
        super().__init__()
        self.seen, self.text, self.stack = [], [], []
        self.feed(page)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img", "link"):
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def count(self, tag):
        return sum(seen == tag for seen, _ in self.seen)


@pytest.fixture
def traces(scripted, small, scene):
    call = QWEN3_VL.render_call((100, 50, 150, 90), 256, 128, label=ATTACK)
    again = QWEN3_VL.render_call((0, 0, 40, 40), 256, 128)
    script = [f"Look {ATTACK}\n{call}", again, f"Blue {ATTACK}"]
    first = ZoomChain(scripted(question=script), QWEN3_VL, small, model_name=ATTACK).ask(
        scene, f"question {ATTACK}"
    )
    failed = Reply("", stop_reason="error", error=f"server said {ATTACK}")
    second = ZoomChain(scripted(other=[failed]), NANO, small).ask(scene, "other")
    return [first.trace, second.trace]


@pytest.fixture
def page(traces):
    return render_report(traces, title=f"Report {ATTACK}")


def test_text_of_users_and_models_is_shown_not_obeyed(page):
    elements = Elements(page)
    assert elements.count("script") == 0
    assert elements.count("img") == 0
    assert not any(name.startswith("on") for _, attributes in elements.seen for name in attributes)
    shown = "".join(elements.text)
    assert (
        shown.count("<script>alert(1)</script>") >= 7
    )  # title twice, contents, question, answer, words, label...


def test_nothing_is_fetched_from_elsewhere(page):
    links = [
        value
        for _, attributes in Elements(page).seen
        for name, value in attributes.items()
        if name in {"href", "src", "xlink:href", "action"}
    ]
    assert links
    assert all(link.startswith(("data:image/png;base64,", "#q")) for link in links)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in page


def test_each_window_is_drawn_on_the_overview_and_each_crop_shown(page):
    elements = Elements(page)
    assert elements.count("article") == 2
    pictures = [attributes["aria-label"] for tag, attributes in elements.seen if tag == "svg"]
    assert pictures == ["Overview", "Image 1", "Image 2", "Overview"]
    overview = page.split("<svg")[1].split("</svg>")[0]
    assert re.findall(r"<text[^>]*>(\d)</text>", overview) == ["1", "2"]


def test_a_window_is_drawn_where_it_is(scripted, small, scene):
    # Half of the scene's width from a quarter on; the overview is 256 x 128 px.
    call = NANO.render_call((64, 32, 192, 96), 256, 128)
    chain = ZoomChain(scripted(question=[call, "Blue."]), NANO, small)
    chain.crops = type(chain.crops)(margin=0)
    page = render_report([chain.ask(scene, "question").trace])
    assert '<rect class="window" x="64.00" y="32.00" width="128.00" height="64.00"' in page


def test_a_chain_without_views_is_reported(scripted, small, scene, traces):
    from dataclasses import replace

    page = render_report([replace(traces[1], views=(), turns=(), error="no such file")])
    assert "no such file" in page
    assert Elements(page).count("svg") == 0


def test_both_colour_schemes_and_print_are_styled(page):
    for medium in ("prefers-color-scheme: dark", "@media print", "max-width"):
        assert medium in page


def test_a_report_is_written_whole_or_not_at_all(tmp_path, traces, monkeypatch):
    path = tmp_path / "report.html"
    write_report(path, traces)
    before = path.read_text()
    assert before.startswith("<!doctype html>")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(path, traces[:1])
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(tmp_path, traces):
    with pytest.raises(FileNotFoundError):
        write_report(tmp_path / "nowhere" / "report.html", traces)

"""The driver: what it does together, what it reads once, and what it charges."""

import threading
import time

import pytest

from tiling.gsd import resolve_gsd
from tiling.scene import Scene
from zoom_chain.budget import Budget
from zoom_chain.chat import PngPart, Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO
from zoom_chain.driver import Driver
from zoom_chain.jobs import Job
from zoom_chain.keeping import ENCODE
from zoom_chain.policies import OFF

CALLS = [NANO.render_call((x, x, x + 250, x + 250), 1000, 1000) for x in (0, 250, 500, 700)]


class Caching:
    """Keeps ``kept_tokens``; notes the questions of each batch and the most tokens asked for."""

    def __init__(self, kept_tokens, zooms=1):
        self.kept_tokens, self.zooms = kept_tokens, zooms
        self.batches, self.encoded, self.computes = [], 0, 1

    def chat(self, conversations, options):
        if options is ENCODE:
            self.encoded += 1
            return [Reply("", "length", prompt_tokens=44, prefilled_tokens=44)]
        self.batches.append([_question(each) for each in conversations])
        return [
            Reply(
                CALLS[_zooms(each)] if _zooms(each) < self.zooms else "done",
                prompt_tokens=45,
                prefilled_tokens=self.computes if each is conversations[0] else 5,
            )
            for each in conversations
        ]


class Serving:
    """Takes requests one by one; a question that says "slow" takes its time."""

    def __init__(self, in_flight, slow_s=0.3):
        self.in_flight, self.slow_s = in_flight, slow_s
        self.lock, self.now, self.most, self.seeds = threading.Lock(), 0, 0, []

    def chat(self, conversations, options):
        (conversation,) = conversations
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.seeds.append(options.seed)
        time.sleep(self.slow_s if "slow" in _question(conversation) else 0.01)
        with self.lock:
            self.now -= 1
        return [Reply(CALLS[0] if _zooms(conversation) < 1 else "done")]


def _question(conversation):
    return next(message.text for message in conversation.messages if message.role == "user")


def _zooms(conversation):
    return sum(message.role == "assistant" for message in conversation.messages)


def test_few_questions_at_a_time_go_to_their_end_where_the_cache_holds_few(small, scene):
    # A question holds at most 2 crops of 32 tokens and 4 turns (2 zooms, 1 refusal, the answer) of 300, and
    # all questions the overview.
    model = Caching(kept_tokens=32 + 2 * (2 * 32 + 4 * 300))
    chain = ZoomChain(model, NANO, small, Budget(max_zooms=2, max_refusals=1))
    answers = chain.ask_all([(scene, f"q{number}") for number in range(5)])
    assert [answer.text for answer in answers] == ["done"] * 5
    assert model.batches == [["q0", "q1"], ["q0", "q1"], ["q2", "q3"], ["q2", "q3"], ["q4"], ["q4"]]


def test_an_overview_that_several_questions_open_with_is_computed_once(small, scene):
    model = Caching(kept_tokens=10**6)
    answers = ZoomChain(model, NANO, small).ask_all([(scene, f"q{number}") for number in range(3)])
    assert model.encoded == 1
    # What was computed ahead is counted where it was computed, and nowhere else.
    assert [[turn.prefilled_tokens for turn in answer.trace.turns] for answer in answers] == [
        [45, 1],
        [5, 5],
        [5, 5],
    ]


def test_no_more_is_computed_of_a_prompt_than_it_holds(small, scene):
    """A reply from a journal was computed by another run, which had nothing open."""
    model = Caching(kept_tokens=10**6, zooms=0)
    model.computes = 45
    answers = ZoomChain(model, NANO, small).ask_all([(scene, f"q{number}") for number in range(2)])
    assert [answer.trace.turns[0].prefilled_tokens for answer in answers] == [45, 5]


def test_a_single_question_is_not_computed_ahead(small, scene):
    model = Caching(kept_tokens=10**6)
    ZoomChain(model, NANO, small).ask(scene, "q")
    assert model.encoded == 0


@pytest.mark.parametrize("model", [Caching(0), Serving(4)], ids=["batches", "in flight"])
def test_an_overview_is_read_once_for_all_questions(small, scene_path, model, monkeypatch):
    read = []
    with Scene(scene_path) as scene:
        whole, plain = scene.window, Scene.read

        def counted(self, view):
            read.append(view.window)
            return plain(self, view)

        monkeypatch.setattr(Scene, "read", counted)
        answers = ZoomChain(model, NANO, small).ask_all([(scene, f"q{number}") for number in range(9)])
    assert [answer.text for answer in answers] == ["done"] * 9
    assert read.count(whole) == 1
    assert len(read) == 1 + 9


def test_a_slow_request_holds_up_no_other_question(small, scene):
    """The slow one is answered only when all others have been."""
    others = threading.Event()

    class Waiting(Serving):
        def chat(self, conversations, options):
            if _question(conversations[0]).startswith("slow"):
                assert others.wait(60)
            return super().chat(conversations, options)

    model = Waiting(in_flight=2, slow_s=0)
    questions = [(scene, "slow"), *((scene, f"q{number}") for number in range(8))]
    answers = ZoomChain(model, NANO, small).ask_all(questions, ended=lambda done: done == 8 and others.set())
    assert [answer.text for answer in answers] == ["done"] * 9


def test_requests_of_a_server_have_the_seed_of_their_question(small, scene):
    model = Serving(in_flight=1)
    ZoomChain(model, NANO, small, policy=OFF).ask_all([(scene, f"q{number}") for number in range(3)])
    assert model.seeds == [0, 1, 2]


def test_a_hung_request_ends_its_own_question_in_time(small, scene):
    model = Serving(in_flight=2, slow_s=60)
    chain = ZoomChain(model, NANO, small, Budget(max_seconds=0.01), policy=OFF)
    began = time.monotonic()
    hung, quick = chain.ask_all([(scene, "slow"), (scene, "quick")])
    assert time.monotonic() - began < 10
    assert (hung.stop_reason, hung.text) == ("error", "")
    assert hung.trace.error == "no reply within 1 s, the most that this question may take"
    assert quick.trace.error is None


def test_what_a_server_raises_ends_all(small, scene):
    class Refusing(Serving):
        def chat(self, conversations, options):
            raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"):
        ZoomChain(Refusing(2), NANO, small).ask_all([(scene, f"q{number}") for number in range(5)])


def test_costs_are_charged_by_the_driver(small, scene, scripted):
    chain = ZoomChain(
        scripted(q=[Reply(CALLS[0], prompt_tokens=50, completion_tokens=9), "done"]), NANO, small
    )
    job = Job(chain._session(scene, "q", resolve_gsd(scene)), chain.policy.run)
    Driver(chain.model, chain.options).run([job])
    spending = job.session.spending
    assert (spending.views, spending.zooms, spending.calls) == (2, 1, 2)
    # The overview of 256 x 128 px, and 563 x 282 scene px at 224 x 128 px.
    assert (spending.visual_tokens, spending.pixels) == (32 + 28, 60 * 32 * 32)
    assert (spending.prompt_tokens, spending.completion_tokens) == (50, 9)


def test_views_for_a_server_are_kept_as_files_and_traces_hold_pictures_only_where_wanted(small, scene):
    kinds = []

    class Listening(Serving):
        def chat(self, conversations, options):
            kinds.extend(type(image) for image in conversations[0].images)
            return super().chat(conversations, options)

    for thumbnails in (True, False):
        chain = ZoomChain(Listening(in_flight=1, slow_s=0), NANO, small, policy=OFF, thumbnails=thumbnails)
        answer = chain.ask(scene, "question 1?")
        assert bool(answer.trace.views[0].thumbnail) == thumbnails
    assert set(kinds) == {PngPart}

"""Every zoom policy on a server whose requests fail now and then: one clear line, and nothing paid twice."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import pytest

from rscovlm.engines.http import HttpEngine
from rscovlm.journal import Journal
from rscovlm.models.families import FAMILIES
from rscovlm.models.serving import Serving
from rscovlm.synth.dataset import write_scene
from rscovlm.synth.world import plan_world
from rscovlm.tasks.ask import ask
from tests.rscovlm.engines.server import ModelServer, read_messages
from tiling.resolution import Resolution
from tiling.scene import Scene
from zoom_chain.policies import POLICIES
from zoom_chain.settings import default_zoom_settings

FAMILY = replace(FAMILIES["qwen3-vl"], resolution=Resolution(32, 4 * 32**2, 16 * 32**2))
QUESTIONS = ["How many planes are there?", "What colour is the roof?", "Is the ship left of the bridge?"]
FAILURES = {
    "somefail500": ((500, {}, {"error": {"message": "EngineCore died"}}), "HTTP 500: EngineCore died"),
    "html200": ((200, {"Content-Type": "text/html"}, b"<html>Gateway login</html>"), "a web page instead"),
    "emptychoices": ((200, {}, {"choices": [], "usage": {}}), "without a choice"),
    "die": ((0, {}, {}), "disconnected"),
}


class Failing(ModelServer):
    """Fails a third of the requests the first time that they come.

    Attributes:
        failure: what it sends then.
        paid: how often each request had a reply.
    """

    def __init__(self, failure):
        super().__init__()
        self.failure, self.failed, self.paid = failure, set(), Counter()
        self.top = [("yes", -0.5), ("no", -1.0)]
        self.answer = self.say

    def say(self, conversation):
        """A box where boxes are asked for, a call about the overview, an answer about a crop."""
        words = " ".join(message.text for message in conversation.messages)
        if "JSON" in words:
            return '[{"bbox_2d":[100,100,300,300],"label":"plane"}]'
        zooms = "image_zoom_in_tool" in words and len(conversation.images) == 1
        return FAMILY.dialect.render_call((10, 10, 60, 60), 100, 100) if zooms else "red"

    def reply(self, body):
        probe = body["max_tokens"] == 1 and not (
            body.get("logprobs") and read_messages(body["messages"]).images
        )
        key = sha256(json.dumps({**body, "seed": 0}).encode()).hexdigest()
        if not probe and int(key, 16) % 3 == 0 and key not in self.failed:
            self.failed.add(key)
            return self.failure
        self.paid[key] += not probe
        return super().reply(body)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    write_scene(plan_world(3, 1024, 1024), path)
    with Scene(path) as scene:
        yield scene


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("policy", POLICIES)
def test_failures_are_one_line_each_and_a_resumed_run_pays_for_nothing_twice(policy, kind, scene, tmp_path):
    failure, says = FAILURES[kind]
    settings = default_zoom_settings(FAMILY.dialect.name)
    budget = replace(settings.budget, max_zooms=2, max_views=8, max_tiles=9)
    settings = replace(settings, policy=POLICIES[policy], budget=budget)
    failed = 0
    with Failing(failure) as server:
        for _ in range(12):
            with (
                HttpEngine(server.url, None, FAMILY, serving=Serving(timeout_s=20, attempts=1)) as engine,
                Journal(tmp_path / "journal", {}, resume=True) as journal,
            ):
                answers = ask(scene, QUESTIONS, engine, settings=settings, journal=journal)
            told = [turn.refusal for each in answers for turn in each.trace.turns if turn.refusal]
            lines = [each.failure for each in answers if each.failure]
            assert all("\n" not in line for line in lines + told)
            assert all(server.url in line and says in line for line in lines)
            ends = {each.stop_reason for each in answers if each.failure}
            assert ends <= {"error", "partial"}
            assert all(each.failure for each in answers if each.stop_reason in ("error", "partial"))
            failed += bool(lines)
            if not lines:
                break
        assert not lines
        assert all(answer.text for answer in answers)
        assert max(server.paid.values()) == 1

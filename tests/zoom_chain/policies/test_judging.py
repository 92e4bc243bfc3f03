"""Judging: the probability that a view shows what a question is about."""

from dataclasses import replace

import numpy as np
import pytest

from tests.zoom_chain.scored import PlaceModel, ScoredModel
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation, Generation, ImagePart, Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO, QWEN3_VL
from zoom_chain.policies import RETRIEVE, TREE
from zoom_chain.policies.judging import confidence_of, share_of_yes
from zoom_chain.scores import NoScores


def test_yes_counts_in_either_case_against_no_in_either():
    stated = Reply("", choices=np.log([0.3, 0.1, 0.2, 0.2]))
    assert share_of_yes(stated, calls=False) == pytest.approx(0.5 / 0.8)


def test_of_a_model_that_calls_until_it_sees_everything_but_a_call_counts():
    assert share_of_yes(Reply("", choices=np.log([0.2])), calls=True) == pytest.approx(0.8)
    assert share_of_yes(Reply("", choices=np.array([-np.inf])), calls=True) == 1


def test_confidence_is_the_geometric_mean_over_the_tokens_of_an_answer():
    assert confidence_of(Reply("a", logprobs=np.log([0.9, 0.4]))) == pytest.approx(0.6)
    assert confidence_of(Reply("a")) == 0


@pytest.mark.parametrize("policy", [TREE, RETRIEVE])
def test_a_model_without_probabilities_is_refused_by_name(policy, scripted, small, scene):
    model = scripted(question=["Blue."])
    model.name = "mute-7b"
    with pytest.raises(NoScores, match=f"zoom policy {policy.name} .* mute-7b does not state"):
        ZoomChain(model, NANO, small, policy=policy).ask(scene, "question?")
    assert model.batches == []


@pytest.mark.parametrize("policy", [TREE, RETRIEVE])
def test_a_server_that_states_none_after_all_ends_the_question_with_its_reason(policy, small, scene):
    class Silent(ScoredModel):
        def chat(self, conversations, options):
            return [Reply("", "error", error="no top_logprobs") if options.choices else Reply("Blue.")] * len(
                conversations
            )

    model = Silent(lambda *_: 0.0)
    answer = ZoomChain(model, QWEN3_VL, small, policy=policy).ask(scene, "question?")
    assert (answer.stop_reason, answer.trace.error) == ("error", "no top_logprobs")


@pytest.mark.parametrize("policy", [TREE, RETRIEVE])
def test_an_answer_without_the_judgement_of_a_view_whose_request_failed_is_partial(policy, small, scene):
    """The view might have been the best one, so that asking again may give another answer."""
    failed = []

    class Busy(PlaceModel):
        def chat(self, conversations, options):
            replies = super().chat(conversations, options)
            if options.choices and not failed:
                failed.append(1)
                replies[-1] = Reply("", "error", error="busy")
            return replies

    answer = ZoomChain(Busy((1500.0, 300.0)), QWEN3_VL, small, policy=policy).ask(scene, "Which colour?")
    assert (answer.text, answer.stop_reason) == ("Blue.", "partial")
    assert answer.failure == "1 request failed on the way: busy"


@pytest.mark.parametrize("policy", [TREE, RETRIEVE])
def test_words_ask_whether_a_view_shows_it_or_only_the_place(policy, small, scene):
    """Where a view shows all detail there is, the question is whether it can be answered from it."""
    asked = []

    class Listener(PlaceModel):
        def chat(self, conversations, options):
            if options.choices:
                asked.extend(each.messages[-1].text for each in conversations)
            return super().chat(conversations, options)

    ZoomChain(Listener((1999.0, 9.0)), QWEN3_VL, small, policy=policy).ask(scene, "Which colour?")
    assert all(text.startswith("Which colour?\n") for text in asked)
    assert "Is the place" in asked[0]


@pytest.mark.parametrize("policy", [TREE, RETRIEVE])
def test_a_model_taught_to_call_is_offered_the_tool_and_not_asked(policy, small, scene):
    seen: list[tuple[Conversation, Generation]] = []

    class Listener(PlaceModel):
        def chat(self, conversations, options):
            seen.extend((each, options) for each in conversations)
            return super().chat(conversations, options)

    answer = ZoomChain(Listener((100.0, 900.0)), NANO, small, policy=policy).ask(scene, "Which colour?")
    judged = [(each, options) for each, options in seen if options.choices]
    assert {options.choices for _, options in judged} == {("<tool_call>",)}
    assert {each.messages[0].text for each, _ in judged} == {NANO.system_prompt}
    assert {each.messages[-1].text for each, _ in judged} == {"Which colour?"}
    assert answer.text == "Blue."


@pytest.mark.parametrize("policy", [TREE, RETRIEVE])
def test_a_found_view_is_shown_as_a_crop_that_the_model_asked_for(policy, small, scene):
    conversations = []

    class Listener(PlaceModel):
        def chat(self, asked, options):
            conversations.extend([] if options.choices else asked)
            return super().chat(asked, options)

    answer = ZoomChain(Listener((100.0, 900.0)), QWEN3_VL, small, policy=policy).ask(scene, "Which colour?")
    roles = [message.role for message in conversations[-1].messages]
    assert roles == ["system", "user", "assistant", "user"]
    call = conversations[-1].messages[2].text
    window = answer.trace.views[answer.trace.turns[-1].about[-1]].view.window
    whole = View(Window(0, 0, 2048, 1024), Size(128, 256))
    corners = whole.from_scene(np.reshape(window.bounds, (2, 2))).ravel()
    assert call == QWEN3_VL.render_call(corners, 256, 128)


@pytest.mark.parametrize("policy", [TREE, RETRIEVE])
def test_images_that_show_all_there_is_are_not_searched(policy, small, tmp_path, scene):
    detail = replace(small, max_pixels=2048 * 1024)
    model = PlaceModel((10.0, 10.0))
    answer = ZoomChain(model, NANO, detail, policy=policy).ask(scene, "question?")
    assert len(answer.trace.views) == 1
    assert model.windows == []


def test_similarities_rank_views_in_place_of_the_model(scripted, small, scene):
    """With a similarity function a model needs to state nothing."""

    def similarity(text: str, images: list[ImagePart]) -> list[float]:
        assert text == "question?"
        return [float(image.read()[..., 0].mean()) for image in images]  # the farther east, the likelier

    model = scripted(question=["Blue."])
    chain = ZoomChain(model, QWEN3_VL, small, policy=RETRIEVE, similarity=similarity)
    answer = chain.ask(scene, "question?")
    assert (answer.text, len(model.batches)) == ("Blue.", 1)
    best = answer.trace.views[answer.trace.turns[-1].about[-1]]
    assert best.view.window.x + best.view.window.width == 2048
    assert best.score == max(view.score for view in answer.trace.views[1:])


def test_a_similarity_function_that_leaves_images_out_is_refused(scripted, small, scene):
    chain = ZoomChain(scripted(), QWEN3_VL, small, policy=RETRIEVE, similarity=lambda text, images: [1.0])
    with pytest.raises(ValueError, match=r"gave 1 numbers for \d+ images"):
        chain.ask(scene, "question?")

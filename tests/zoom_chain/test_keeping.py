"""What an engine in process keeps: how much, for how many questions, and until when."""

import pytest

from tests.zoom_chain.test_driver import CALLS, Caching
from tiling.gsd import resolve_gsd
from tiling.scene import Scene
from zoom_chain.budget import Budget
from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO
from zoom_chain.driver import Driver
from zoom_chain.effects import Outcome, ask
from zoom_chain.jobs import Job
from zoom_chain.keeping import chat_once, kept_tokens, release


class Holding(Caching):
    """Notes what is released, and the pictures that are to stay; the model of ``Caching`` otherwise."""

    def __init__(self, kept_tokens=10**6, zooms=1):
        super().__init__(kept_tokens, zooms)
        self.held, self.released = [], []

    def chat(self, conversations, options):
        self.held += conversations
        return super().chat(conversations, options)

    def release(self, conversations, shared):
        self.released.append(([_asked(each) for each in conversations], len(shared)))
        self.held = [each for each in self.held if not any(map(each.leads_to, conversations))]


def _asked(conversation):
    """The question, and how many replies were asked for."""
    text = next(message.text for message in conversation.messages if message.role == "user")
    return text, len(conversation.turns_of("assistant")) + 1


def test_a_question_gives_back_what_it_held_when_it_ends_and_the_overview_goes_with_the_last(small, scene):
    model = Holding(kept_tokens=32 + 2 * (2 * 32 + 4 * 300))  # two questions at a time
    chain = ZoomChain(model, NANO, small, Budget(max_zooms=2, max_refusals=1))
    chain.ask_all([(scene, f"q{number}") for number in range(3)])
    assert model.released == [([("q0", 2), ("q1", 2)], 1), ([("q2", 2)], 0)]
    assert model.held == []


def test_the_overview_of_one_scene_goes_while_that_of_another_stays(small, scene, scene_path):
    model = Holding(kept_tokens=2 * 32 + 1 * (2 * 32 + 4 * 300))  # one question at a time
    chain = ZoomChain(model, NANO, small, Budget(max_zooms=2, max_refusals=1))
    with Scene(scene_path) as other:
        chain.ask_all([(scene, "a"), (other, "b"), (other, "c")])
    assert [shared for _, shared in model.released] == [0, 1, 0]


def test_a_conversation_from_which_nothing_goes_on_is_given_back_before_its_question_ends(small, scene):
    model = Holding(zooms=2)
    one, other = Conversation().say("user", "a part"), Conversation().say("user", "the whole")

    def two_conversations(session):
        yield from ask(one)
        yield from ask(other.say("assistant", "yes").say("user", "sure?"))
        return Outcome("answered", "yes")

    chain = ZoomChain(model, NANO, small)
    Driver(model, Generation()).run([Job(chain._session(scene, "q", resolve_gsd(scene)), two_conversations)])
    assert [asked for asked, _ in model.released] == [[("a part", 1)], [("the whole", 2)]]


@pytest.mark.parametrize("model", [Caching(100), Caching(0)], ids=["no release", "nothing kept"])
def test_a_model_that_gives_nothing_back_is_left_alone(model):
    release(model, [Conversation().say("user", "?")])
    assert chat_once(model, [Conversation().say("user", "?")], Generation())[0].text == CALLS[0]


def test_what_does_not_go_on_is_given_back_at_once():
    model = Holding()
    replies = chat_once(model, [Conversation().say("user", "?")], Generation())
    assert (replies, model.held) == ([Reply(CALLS[0], prompt_tokens=45, prefilled_tokens=1)], [])
    assert chat_once(model, [], Generation()) == []
    assert kept_tokens(object()) == 0

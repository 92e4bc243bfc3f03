"""Requests in flight: none waits for another, and none for ever."""

import queue
import threading
import time

import pytest

from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.requests import Requests, in_flight


class Server:
    """Answers by the seconds that a conversation names; ``in_flight`` at a time."""

    in_flight = 2

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def chat(self, conversations, options):
        (conversation,) = conversations
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(float(conversation.messages[-1].text))
        with self.lock:
            self.now -= 1
        return [Reply(conversation.messages[-1].text)]


def waits(seconds):
    return Conversation().say("user", str(seconds))


def test_a_model_says_how_many_requests_it_takes():
    assert in_flight(Server()) == 2
    assert in_flight(object()) == 0


def test_replies_come_as_they_are_ready_and_so_many_at_a_time():
    server = Server()
    requests = Requests(server, 2)
    for number, seconds in enumerate([0.4, 0.01, 0.02, 0.03]):
        requests.submit(number, waits(seconds), Generation())
    order = []
    while requests:
        order.append(requests.next().key)
    # The slow one, first to be sent, holds up none of the three others.
    assert order == [1, 2, 3, 0]
    assert server.most == 2


def test_a_request_that_hangs_is_given_up_and_makes_room():
    requests = Requests(Server(), 1)
    requests.submit("hangs", waits(4), Generation(), limit_s=0.1)  # a late limit would see it
    requests.submit("quick", waits(0), Generation(), limit_s=5)
    hung, quick = requests.next(), requests.next()
    assert (hung.key, hung.reply.stop_reason) == ("hangs", "error")
    assert "no reply within 0.1 s" in hung.reply.error
    assert (quick.key, quick.reply.text) == ("quick", "0")
    assert not requests


def test_a_reply_is_told_of_while_nobody_waits_for_it_and_after_it_was_given_up():
    told = queue.SimpleQueue()
    requests = Requests(Server(), 2, lambda key, reply: told.put((key, reply.text)))
    requests.submit("quick", waits(0), Generation())
    assert told.get(timeout=60) == ("quick", "0")
    requests.submit("late", waits(0.5), Generation(), limit_s=0.1)
    assert {requests.next().key, requests.next().key} == {"quick", "late"}
    assert told.empty()
    assert told.get(timeout=60) == ("late", "0.5")


def test_what_the_model_raises_is_raised_where_it_is_waited_for():
    class Broken:
        def chat(self, conversations, options):
            raise RuntimeError("no such model")

    requests = Requests(Broken(), 1)
    requests.submit(0, waits(0), Generation())
    with pytest.raises(RuntimeError, match="no such model"):
        requests.next()


def test_nothing_submitted_is_nothing_to_wait_for():
    with pytest.raises(LookupError):
        Requests(Server(), 1).next()

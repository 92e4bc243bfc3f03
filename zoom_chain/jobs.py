"""A question at work: its policy's steps, what it waits for, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tiling.errors import SceneError
from zoom_chain.chat import Conversation, Picture
from zoom_chain.effects import Ask, Effect, Outcome, Result, Said, Steps
from zoom_chain.session import Run, Session

_LEAST_LIMIT_S = 1.0


@dataclass(eq=False)
class Job:
    """A question at work.

    Attributes:
        session: of the question.
        run: the policy.
        number: place among the questions, which sets the seed of its requests.
        outcome: how it ended; None before.
        ended: when.
        overview: the picture of the whole scene, which other questions about the scene open with too; None
            before it is read, and at the end.
    """

    session: Session
    run: Run
    number: int = 0
    outcome: Outcome | None = None
    ended: float = 0.0
    overview: Picture | None = None
    _steps: Steps | None = None
    _wanted: Effect | None = None
    _said: dict[int, Said] = field(default_factory=dict)

    @property
    def wanted(self) -> Effect | None:
        """What the policy waits for; None at its end."""
        return self._wanted

    @property
    def asked(self) -> tuple[Conversation, ...]:
        """The conversations whose replies the policy waits for; () where it waits for none."""
        return self._wanted.conversations if isinstance(self._wanted, Ask) else ()

    def begin(self) -> None:
        """Run the policy up to its first effect."""
        self.session.spending.started = self.session.clock()
        self._steps = self.run(self.session)
        self._advance(lambda steps: next(steps))

    def give(self, result: Result) -> None:
        """The result of the effect that the policy waits for."""
        self._advance(lambda steps: steps.send(result))

    def take(self, index: int, said: Said) -> bool:
        """One reply of several that the policy waits for; whether it was the last."""
        assert isinstance(self._wanted, Ask)
        self._said[index] = said
        self._charge(said)
        if len(self._said) < len(self._wanted.conversations):
            return False
        replies, self._said = self._said, {}
        self.give(tuple(replies[number] for number in sorted(replies)))
        return True

    def end(self, outcome: Outcome) -> None:
        """The end of the question."""
        self.outcome, self._wanted = self.session.settle(outcome), None
        self.ended = self.session.clock()
        if self._steps is not None:
            self._steps.close()
        self._steps = self.overview = None  # with the images that they hold

    def _charge(self, said: Said) -> None:
        spending = self.session.spending
        spending.calls += 1
        spending.prompt_tokens += said.reply.prompt_tokens
        spending.completion_tokens += said.reply.completion_tokens

    def _advance(self, step: Callable[[Steps], Effect]) -> None:
        assert self._steps is not None
        try:
            self._wanted = step(self._steps)
        except StopIteration as stop:
            self.end(stop.value)
        except SceneError as error:
            self.end(Outcome("error", error=str(error)))

    @property
    def limit_s(self) -> float | None:
        """Longest time of a single request."""
        most = self.session.budget.max_seconds
        return None if most is None else max(most, _LEAST_LIMIT_S)

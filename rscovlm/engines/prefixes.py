"""Keys and values of conversations between calls, in a tree: what several begin with alike is held once.

A node holds a stretch of tokens, and its children are the ways in which conversations went on from there. The
overview of a scene with the words before it is one stretch for all questions about the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from rscovlm.models.prompting import Prompt

if TYPE_CHECKING:
    from transformers import DynamicCache, PretrainedConfig

Layers: TypeAlias = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer: (heads, length, dim) twice."""

Identities: TypeAlias = NDArray[np.int64]
"""(length,) of tokens, as ``Prompt.keys`` has them."""


@dataclass(eq=False)
class _Node:
    """A stretch of tokens, the stretch that it goes on from, and those that go on from it by first token.

    What the model said is a stretch of its own: the next turn may take it up in other tokens.
    """

    keys: Identities
    layers: Layers
    is_reply: bool = False
    parent: _Node | None = None
    children: dict[int, _Node] = field(default_factory=dict)
    used: int = 0

    def add(self, child: _Node) -> None:
        child.parent = self
        self.children[int(child.keys[0])] = child

    def walk(self) -> Iterator[_Node]:
        for child in self.children.values():
            yield child
            yield from child.walk()


@dataclass(frozen=True)
class Beginning:
    """The part of a prompt that is held.

    Attributes:
        length: of it, in tokens; 0 where nothing is.
        stretches: keys and values of as many tokens each, in order.
    """

    length: int = 0
    stretches: tuple[tuple[Layers, int], ...] = ()

    def copy_to(self, layer: int, which: int, target: torch.Tensor) -> None:
        """Put the keys (``which`` 0) or values (1) of a layer into (heads, length, dim)."""
        start = 0
        for layers, length in self.stretches:
            target[:, start : start + length] = layers[layer][which][:, :length]
            start += length


class Prefixes:
    """What is held of the conversations so far, least recently used ends forgotten first.

    Args:
        most_tokens: that are held, each once however many conversations share it.
    """

    def __init__(self, most_tokens: int) -> None:
        self.most_tokens = most_tokens
        self.tokens = 0
        self._root = _Node(np.empty(0, dtype=np.int64), [])
        self._now = self._batch = 0

    def clear(self) -> None:
        """Forget everything."""
        self._root.children.clear()
        self.tokens = 0

    def next_batch(self) -> None:
        """Begin a batch: what is looked up or kept from here on is not forgotten for the rest of it."""
        self._batch = self._now + 1

    def beginning(self, prompt: Prompt) -> Beginning:
        """The longest beginning of a prompt that is held, each image whole or not at all.

        The last token of a prompt is never part of it, since its output is what comes next.
        """
        found = list(self._matches(prompt.keys))
        length = sum(common for _, common in found)
        length = prompt.whole_beginning(min(length, len(prompt.ids) - 1))
        left, stretches = length, []
        for node, common in found:
            if left > 0:
                self._use(node)
                stretches.append((node.layers, min(common, left)))
                left -= common
        return Beginning(length, tuple(stretches))

    def keep(self, keys: Identities, read: Callable[[int, int], Layers], reply: int = 0) -> None:
        """Hold a conversation, where there is room for what is new of it.

        Args:
            keys: of all its tokens.
            read: keys and values of its tokens from a place to another.
            reply: tokens at its end that the model has just said.
        """
        node, length = self._root, 0
        for child, common in list(self._matches(keys)):
            node = child if common == len(child.keys) else self._split(child, common)
            self._use(node)
            length += common
        for end, is_reply in ((len(keys) - reply, False), (len(keys), True)):
            if length < end and self._make_room(end - length):
                child = _Node(keys[length:end].copy(), read(length, end), is_reply)
                self._use(child)
                node.add(child)
                self.tokens += end - length
                node, length = child, end

    def release(self, keys: Identities, shared: int = 0) -> None:
        """Forget a conversation up to where it parts with others that are held.

        Args:
            keys: of all its tokens but for the last reply.
            shared: tokens at its beginning that stay.
        """
        # A stretch that agrees in part is another conversation's.
        path = [node for node, common in self._matches(keys) if common == len(node.keys)]
        start = sum(len(node.keys) for node in path)
        for node in reversed(path):
            start -= len(node.keys)
            for each in [each for each in node.children.values() if each.is_reply and not each.children]:
                self._drop(each)
            if node.children or start + len(node.keys) <= shared:
                return
            if start < shared:
                self._split(node, shared - start)
            self._drop(node)

    def _drop(self, node: _Node) -> None:
        """Forget a stretch from which nothing goes on."""
        assert node.parent is not None
        del node.parent.children[int(node.keys[0])]
        self.tokens -= len(node.keys)

    def _matches(self, keys: Identities) -> Iterator[tuple[_Node, int]]:
        """The stretches along which tokens agree, and in how many; the last may agree in part."""
        node, length = self._root, 0
        while length < len(keys):
            child = node.children.get(int(keys[length]))
            if child is None:
                return
            rest = keys[length : length + len(child.keys)]
            different = np.flatnonzero(child.keys[: len(rest)] != rest)
            common = int(different[0]) if len(different) else len(rest)
            yield child, common
            if common < len(child.keys):
                return
            node, length = child, length + common

    def _split(self, node: _Node, at: int) -> _Node:
        """Cut a stretch in two, of which each has its own memory; the first."""
        assert node.parent is not None
        parent = node.parent
        first = _Node(node.keys[:at].copy(), _cut(node.layers, 0, at), node.is_reply, used=node.used)
        parent.add(first)
        node.keys, node.layers = node.keys[at:].copy(), _cut(node.layers, at, len(node.keys))
        first.add(node)
        return first

    def _use(self, node: _Node) -> None:
        self._now += 1
        node.used = self._now

    def _make_room(self, tokens: int) -> bool:
        """Forget ends that no row of the batch needs until so many tokens fit; whether they do."""
        while self.tokens + tokens > self.most_tokens:
            ends = [node for node in self._root.walk() if not node.children and node.used < self._batch]
            if not ends:
                return False
            self._drop(min(ends, key=lambda node: node.used))
        return True


def _cut(layers: Layers, start: int, end: int) -> Layers:
    return [(keys[:, start:end].clone(), values[:, start:end].clone()) for keys, values in layers]


def restored(
    known: Sequence[Beginning], config: PretrainedConfig, device: torch.device
) -> tuple[DynamicCache, torch.Tensor]:
    """A cache of the beginnings that the rows of a batch have, right aligned, and its mask (B, P).

    Args:
        known: of each row; empty ones are padding.
        config: of the language model.
        device: that holds them.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=config)
    longest = max(each.length for each in known)
    mask = torch.zeros(len(known), longest, dtype=torch.long, device=device)
    if longest == 0:
        return cache, mask
    for row, each in enumerate(known):
        mask[row, longest - each.length :] = 1
    example = next(each.stretches[0][0] for each in known if each.length)
    for index, layer in enumerate(example):
        pair = []
        for which, like in enumerate(layer):
            stacked = like.new_zeros(len(known), like.shape[0], longest, like.shape[2])
            for row, each in enumerate(known):
                each.copy_to(index, which, stacked[row, :, longest - each.length :])
            pair.append(stacked)
        cache.update(pair[0], pair[1], index)
    return cache, mask

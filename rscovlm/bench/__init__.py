"""Benchmarks: what is asked, what was replied, and how good that is under a named protocol.

| value | module | holds |
|---|---|---|
| ``Item`` | ``item`` | one question of a benchmark with its truth |
| ``Row`` | ``row`` | an item with what a model replied: a line of a run's log |
| ``Protocol`` | ``protocol`` | how rows are judged and summed up, under a versioned identifier |
| ``Benchmark`` | ``benchmark`` | items as their authors publish them, and the protocols that apply |

A log is scored without the model, under any protocol, as often as one likes; so nothing here imports torch.
"""

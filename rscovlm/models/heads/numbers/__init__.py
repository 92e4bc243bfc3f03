"""Heads that give a number with its uncertainty: a trunk that reads hidden states, and an output.

| part | module | choices |
|---|---|---|
| what is read | ``states`` | visual tokens by a readout, words of the prompt, layers of the vision tower |
| trunk | ``trunks`` | ``parallel``, ``attention``, ``gated``, ``experts``, ``mixer`` (REO-VLM's) |
| output | ``outputs`` | ``point``, ``gaussian``, ``mixture``, ``quantiles``, ``intervals``, ``count`` |
| loss | ``losses`` | ``nll``, ``mse``, ``mae``, ``huber``, ``logcosh``, ``ccc``; penalties beside |

Any trunk goes with any output. Shapes: S samples, V visual tokens and T words of a sample (padded), W the
width of hidden states.
"""

"""Protocols: how replies are judged and summed up, a module for each family of rules.

Each benchmark has three, from its rules to its averages, under ``<benchmark>/<name>/<version>``:

| name | rules |
|---|---|
| ``official`` | those of the authors' code, defects included, so that values compare with published ones |
| ``rscovlm`` | those by which RSCoVLM's tables were made; where it has none, its nearest rule |
| ``strict`` | our own parsers; what cannot be read, is refused, undecided or failed is wrong |

A fourth, ``answered``, is ``strict`` on those replies alone that hold an answer.

``catalogue`` lists them, ``disagreement`` shows where they differ, ``docs/protocols.md`` explains why.
"""

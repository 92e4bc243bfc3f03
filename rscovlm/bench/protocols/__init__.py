"""Protocols: how replies are judged and summed up, a module for each family of rules."""

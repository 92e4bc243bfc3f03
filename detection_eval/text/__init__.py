"""Replies of models and boxes: how a family writes them, reading them, writing them."""

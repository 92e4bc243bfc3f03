"""Zoom-in Chain: the chat protocol, the controller that lets a model look closer, and its traces."""

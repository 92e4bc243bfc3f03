"""Zoom-in Chain: the chat protocol, the controller that lets a model ask for a closer look, and its traces."""

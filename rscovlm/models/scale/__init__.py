"""Scale as a continuous condition: gates on the rank dimensions of adapters, and what they are told."""

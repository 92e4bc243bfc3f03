"""nano: a few million parameters in Qwen3-VL's architecture, trained from scratch on synthetic scenes."""

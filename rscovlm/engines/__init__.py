"""Model engines behind the ChatModel protocol: transformers in process, vLLM in process, HTTP."""

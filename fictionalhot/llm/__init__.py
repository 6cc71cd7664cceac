"""The back end of a language model behind any OpenAI-compatible endpoint.

`cache` keeps every answer that was paid for, `client` asks and counts, `backend` turns answers into drafts or
rejections. The prompts are `fictionalhot/builder/templates/fictionalise.jinja` and `document.jinja`.
"""

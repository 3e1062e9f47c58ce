"""The explorer page: its answers, which are functions from text to JSON values, and the server of `cbpf explore`.

`answers` runs in a web worker of the page and in tests; `server` serves the page on the loopback interface.
"""

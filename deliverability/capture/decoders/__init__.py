"""What a log may be wrapped in, taken off before search and formats see it (docs/adr/0007-containers.md).

Each decoder is a stream of plain lines over a stream of octets, in bounded memory whatever it is given.  Which one
fits is told from the first octets, never from a file's name.
"""

"""One claim, one file (``docs/adding.md``)."""

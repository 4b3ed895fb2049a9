"""Shows that a notice was dispatched, no stronger than the evidence, and helps the customer keep the next one.

The public names are resolved when they are first used (PEP 562), so that importing the package costs nothing.
"""

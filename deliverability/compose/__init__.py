"""Assessment and provider to a document in one language: the only place that chooses sentences.

Pure: the clock is an argument, and the only files read are the package's own catalogues.  Each module is imported by
itself: a table of a terminal needs none of what a page needs.
"""

"""One log format, one file: recorded lines in, delivery events out."""

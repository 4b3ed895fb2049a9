"""One form, one file: a document in, bytes out."""

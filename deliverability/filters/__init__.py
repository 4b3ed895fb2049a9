"""One spam filter, one file: what its headers say."""

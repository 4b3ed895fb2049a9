"""One mailbox provider, one file: how to recognise it and what its customer can do."""

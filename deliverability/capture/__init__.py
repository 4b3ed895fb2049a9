"""The edge: the only code, with the ledger, that touches network, files and the clock."""

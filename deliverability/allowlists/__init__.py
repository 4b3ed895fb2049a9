"""One importable allowlist form, one file."""

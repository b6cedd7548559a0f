"""Catalogues of known sources: local store, cone search, and remote services."""

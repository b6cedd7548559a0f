"""Catalogues of known sources: kept as ingested, searched by place, asked also of remote services."""

"""The report of a run: JSON, a page and figures from a ``RunRecord`` and a ``CrossCheck``."""

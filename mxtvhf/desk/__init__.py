"""The Burst Advocate's desk: what its pages show, put together from reports, archive and releases."""

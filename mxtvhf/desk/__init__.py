"""The Burst Advocate's desk: the list of bursts, and of each one page with all that decides."""

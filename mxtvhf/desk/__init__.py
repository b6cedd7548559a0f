"""The Burst Advocate's desk: the list of bursts, and one page per burst with everything for the decision."""

"""Catalogues that were once read wrongly."""

INPUTS = {
    "plain.csv": lambda: b"name,ra,dec,r90\nS1,10.5,-20.25,1\n",
}

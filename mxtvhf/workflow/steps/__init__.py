"""The seven steps of the workflow (and the VHF position beside them), one pure function each."""

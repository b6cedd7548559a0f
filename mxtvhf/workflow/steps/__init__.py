"""The steps of the workflow, one pure function each."""

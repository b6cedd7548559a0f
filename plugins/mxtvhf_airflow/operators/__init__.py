"""The operators of the DAGs, one module for each subject."""

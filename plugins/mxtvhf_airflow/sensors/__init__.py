"""The sensors of the DAGs, one module for each subject."""

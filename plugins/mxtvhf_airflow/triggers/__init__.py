"""The triggers of deferred tasks, one module for each subject."""

"""What the tasks of the DAGs do: one operator for each step, module by subject."""

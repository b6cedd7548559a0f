"""Changes to the scheduler, executor and task supervisor of Airflow 3.3, each with its reason."""

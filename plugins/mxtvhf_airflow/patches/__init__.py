"""Changes to Airflow 3.3 itself: what is replaced in its scheduler, executor and worker, and why."""

"""The embedded stack of ``make run``: PostgreSQL, Airflow and the reference GP service on one machine."""

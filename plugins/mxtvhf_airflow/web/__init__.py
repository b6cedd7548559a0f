"""The pages and the REST API below ``/mxtvhf``, served by Airflow's API server."""

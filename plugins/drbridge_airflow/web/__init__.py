"""What drbridge adds to Airflow's API server."""

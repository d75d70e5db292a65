"""Airflow bricks of drbridge: what a flow is built from."""

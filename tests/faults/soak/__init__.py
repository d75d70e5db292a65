"""The soak: days of demand response on a real Airflow with PostgreSQL, and faults drawn from a seed beside them."""

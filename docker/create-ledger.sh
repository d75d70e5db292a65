#!/bin/sh
# The ledger has a role and a database of its own, beside Airflow's.
set -e
psql -v ON_ERROR_STOP=1 -v password="$DRBRIDGE_LEDGER_PASSWORD" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE drbridge LOGIN PASSWORD :'password';
CREATE DATABASE drbridge OWNER drbridge;
SQL

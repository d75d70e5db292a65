FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends curl openssh-server && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --home-dir /opt/airflow airflow \
    && install -d -o airflow /var/lib/drbridge /opt/airflow/logs /opt/airflow/passwords
WORKDIR /opt/drbridge
COPY requirements-bootstrap.txt requirements.txt pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes -r requirements-bootstrap.txt \
    && uv pip install --system --no-cache --require-hashes --no-deps --compile-bytecode -r requirements.txt
COPY include include
COPY plugins plugins
COPY dags dags
RUN uv pip install --system --no-cache --no-deps --no-build-isolation -e .
USER airflow
# What every installation of this image has in common.
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/drbridge/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/drbridge/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__CORE__EXECUTOR=LocalExecutor \
    AIRFLOW__CORE__PARALLELISM=16 \
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://api-server:8080/execution/ \
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=/opt/airflow/passwords/passwords.json \
    AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME=0.2 \
    AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=300 \
    AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK=True \
    DRBRIDGE_HOME=/var/lib/drbridge

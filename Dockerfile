FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends curl openssh-server && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --home-dir /opt/airflow airflow && install -d -o airflow /var/lib/drbridge /opt/airflow/logs
WORKDIR /opt/drbridge
COPY requirements-bootstrap.txt requirements.txt requirements-dev.txt pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes -r requirements-bootstrap.txt \
    && uv pip install --system --no-cache --require-hashes --no-deps --compile-bytecode -r requirements.txt
COPY include include
COPY plugins plugins
COPY dags dags
RUN uv pip install --system --no-cache --no-deps -e .
USER airflow
ENV AIRFLOW_HOME=/opt/airflow DRBRIDGE_HOME=/var/lib/drbridge

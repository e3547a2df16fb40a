ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS release
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY monitoring monitoring
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8080
USER 10001:0
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/health', timeout=4)"]
CMD ["python", "-m", "monitoring"]

# The test tools never ship: this stage only adds to the very layers that are released.
FROM release AS test
USER root
COPY requirements-test.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-test.txt
USER 10001:0

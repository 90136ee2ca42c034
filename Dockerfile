# Router and shipper in one image, run by an unprivileged user. Build from the repository's root:
#   docker build -t logrouter .
# Router:   docker run -e LOGROUTER_BROKER=amqp://... -v logrouter:/var/lib/logrouter -v ./rules:/etc/logrouter/rules logrouter
# Shipper:  docker run -e LOGROUTER_BROKER=amqp://... -v /var/log:/var/log:ro -v shipper:/var/lib/logrouter logrouter ship
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY logrouter logrouter
COPY shippers shippers
COPY rules rules
RUN python -m venv /opt/logrouter && /opt/logrouter/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --create-home --home-dir /var/lib/logrouter --uid 10001 logrouter
COPY --from=build /opt/logrouter /opt/logrouter
ENV PATH=/opt/logrouter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOGROUTER_STATE=/var/lib/logrouter
USER logrouter
VOLUME /var/lib/logrouter
STOPSIGNAL SIGTERM
# Healthy while process 1 is alive and not stuck in an uninterruptible wait.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import sys; sys.exit(open('/proc/1/stat').read().rpartition(')')[2].split()[0] in 'DZ')"]
ENTRYPOINT ["logrouter"]
CMD ["run"]

# One image for the service, the worker, the migration and the pods of workflows.
# The dependencies are a layer of their own: a change of our code rebuilds in seconds.
ARG PYTHON=3.12

FROM docker.io/library/python:${PYTHON}-slim AS dependencies
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --quiet uv
RUN /opt/uv/bin/uv venv --quiet --python /usr/local/bin/python /opt/lupus
COPY requirements/image.txt /build/image.txt
RUN /opt/uv/bin/uv pip install --quiet --python /opt/lupus --require-hashes -r /build/image.txt \
 && find /opt/lupus -depth -type d -name tests -path "*/site-packages/*" \
      -not -path "*/numpy/*" -exec rm -rf {} + \
 && echo /opt/lupus-server > "$(echo /opt/lupus/lib/python*/site-packages)/lupus-server.pth"

FROM dependencies AS application
# Machine code for any processor of the architecture: numba's cache is bound to the one it names.
ENV NUMBA_CPU_NAME=generic
COPY pyproject.toml README.md LICENSE /build/
COPY detectors /build/detectors
COPY storage /build/storage
COPY workflows /build/workflows
COPY service /build/service
RUN /opt/uv/bin/uv pip install --quiet --python /opt/lupus --no-deps --no-build-isolation \
      --target /opt/lupus-server /build \
 && /opt/lupus/bin/python -m detectors.precompile \
 && /opt/lupus/bin/python -m compileall -q /opt/lupus-server

FROM docker.io/library/python:${PYTHON}-slim
LABEL org.opencontainers.image.title="Lupus" \
      org.opencontainers.image.description="Anomaly detection for the metrics of machine-learning products" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=dependencies /opt/lupus /opt/lupus
COPY --from=application /opt/lupus-server /opt/lupus-server
# Whatever wants a cache finds it below /tmp, the one place that may be written.
ENV PATH=/opt/lupus-server/bin:/opt/lupus/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CPU_NAME=generic HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib \
    LUPUS_DATA=/var/lib/lupus LUPUS_HOST=0.0.0.0
RUN mkdir -p /var/lib/lupus && chown 10001:10001 /var/lib/lupus
USER 10001:10001
EXPOSE 8700
VOLUME /var/lib/lupus
ENTRYPOINT ["lupus-server"]
CMD ["serve"]

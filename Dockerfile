# One image for the service, the worker, the migration and the pods of workflows.
# The dependencies are a layer of their own: a change of our code rebuilds in seconds.
# Where packages come from is the build environment's matter: a mounted pip.conf, or build arguments
# that pip reads (PIP_INDEX_URL, PIP_CERT); none of it stays in the image.
ARG PYTHON=3.12

FROM docker.io/library/python:${PYTHON}-slim AS dependencies
ARG PIP_INDEX_URL
ARG PIP_CERT
RUN python -m venv --without-pip /opt/lupus
COPY requirements/image.txt /build/image.txt
# The lock is complete, so nothing is resolved. Packages' own tests and headers serve nobody here.
RUN pip --python /opt/lupus/bin/python install --quiet --disable-pip-version-check \
      --no-cache-dir --no-deps --require-hashes -r /build/image.txt \
 && find /opt/lupus/lib -depth -type d -path "*/site-packages/*" -not -path "*/numpy/*" \
      \( -name tests -o -path "*/pyarrow/include" -o -path "*/pyarrow/src" \) -exec rm -rf {} + \
 && echo /opt/lupus-server > "$(echo /opt/lupus/lib/python*/site-packages)/lupus-server.pth"

FROM dependencies AS application
COPY pyproject.toml README.md LICENSE /build/
COPY detectors /build/detectors
COPY storage /build/storage
COPY workflows /build/workflows
COPY service /build/service
# The kernels' machine code stays beside them, for the processors that detectors/compiled.py names.
RUN PATH="/opt/lupus/bin:$PATH" pip --python /opt/lupus/bin/python install --quiet --no-cache-dir \
      --disable-pip-version-check --no-deps --no-build-isolation --no-index \
      --target /opt/lupus-server /build \
 && /opt/lupus/bin/python -m detectors.precompile

FROM docker.io/library/python:${PYTHON}-slim
LABEL org.opencontainers.image.title="Lupus" \
      org.opencontainers.image.description="Anomaly detection for the metrics of machine-learning products" \
      org.opencontainers.image.licenses="Apache-2.0"
# Kerberos for Hive; some base images have it already.
RUN ldconfig -p | grep -q libgssapi_krb5 \
 || { apt-get update && apt-get install --yes --no-install-recommends libgssapi-krb5-2 \
      && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log; }
RUN echo lupus:x:10001:10001::/tmp:/usr/sbin/nologin >> /etc/passwd \
 && echo lupus:x:10001: >> /etc/group \
 && mkdir -p /var/lib/lupus && chown 10001:10001 /var/lib/lupus
COPY --from=dependencies /opt/lupus /opt/lupus
COPY --from=application /opt/lupus-server /opt/lupus-server
# Whatever wants a cache finds it below /tmp: with the data folder the one place to write.
ENV PATH=/opt/lupus-server/bin:/opt/lupus/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib \
    LUPUS_DATA=/var/lib/lupus LUPUS_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8700
VOLUME /var/lib/lupus
ENTRYPOINT ["lupus-server"]
CMD ["serve"]

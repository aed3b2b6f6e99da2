# Our code in its locked environment: the command line, and the workers beside a TaskManager.
# Any Debian will do that has Python 3.11 or brings it (python:3.11-slim-bookworm on a machine
# with a registry). The context is the root of the repository.
ARG BASE=localhost/debian:bookworm-slim

FROM ${BASE} AS python
ARG SNAPSHOT
ARG PYTHON
ENV DEBIAN_FRONTEND=noninteractive
COPY flink/docker/sources.sh /tmp/sources.sh
RUN sh /tmp/sources.sh ${SNAPSHOT} && rm /tmp/sources.sh
RUN command -v python${PYTHON} > /dev/null || { apt-get update -q \
    && apt-get install -qy --no-install-recommends python3 ca-certificates \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt; }

FROM python AS installed
ARG PYTHON
ARG EXTRA
RUN python${PYTHON} -c "import ensurepip" 2> /dev/null || { apt-get update -q \
    && apt-get install -qy --no-install-recommends python3-venv; }
WORKDIR /build
COPY requirements.lock pyproject.toml flink/docker/runtime.py ./
RUN python${PYTHON} -m venv /opt/wavefier && python${PYTHON} runtime.py ${EXTRA} > runtime.lock
# Where pip downloads from, and whom it trusts, is the builder's own and stays with it.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=certificates,target=/run/secrets/certificates \
    /opt/wavefier/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes -r runtime.lock

# Our code apart from the rest, so that a change of it is a small layer.
FROM installed AS code
COPY setup.py README.md LICENSE ./
COPY beam_pipeline beam_pipeline
COPY transforms transforms
COPY models models
RUN /opt/wavefier/bin/pip install --quiet --no-deps --no-build-isolation --no-index --target /code .

# Without what nothing here reads: C++ headers, bindings of a compiler, tests, and pip itself.
FROM installed AS environment
ARG PYTHON
RUN cd /opt/wavefier/lib/python${PYTHON}/site-packages \
    && rm -rf tensorflow/include pyarrow/include numpy/_core/include pip pip-*.dist-info \
       pandas/tests pyarrow/tests \
    && find numpy scipy h5py matplotlib -depth -type d -name tests -exec rm -rf {} + \
    && rm -f /opt/wavefier/bin/pip* /opt/wavefier/bin/[Aa]ctivate*
# A fifth of TensorFlow, where it is, are names that only a debugger reads.
RUN cd /opt/wavefier/lib/python${PYTHON}/site-packages && if test -d tensorflow; then \
        apt-get update -q && apt-get install -qy --no-install-recommends binutils \
        && strip --strip-unneeded tensorflow/lib*.so.2; fi

FROM python
ARG BASE
ARG BASE_DIGEST
ARG SNAPSHOT
ARG PYTHON
ARG VERSION
LABEL org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.title="wavefier worker" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="GPL-3.0-or-later"
COPY --from=environment /opt/wavefier /opt/wavefier
COPY --from=code /code/bin/wavefier /opt/wavefier/bin/wavefier
COPY --from=code /code /opt/wavefier/lib/python${PYTHON}/site-packages
# /tmp is the only place that must be writable.
ENV PATH=/opt/wavefier/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1
COPY flink/docker/packages.py /tmp/packages.py
RUN mkdir -p /usr/share/wavefier && { \
         echo "${BASE} ${BASE_DIGEST} base"; echo "debian ${SNAPSHOT} snapshot"; \
         python /tmp/packages.py; \
       } > /usr/share/wavefier/packages.txt && rm /tmp/packages.py
USER 10001:10001
WORKDIR /tmp
CMD ["wavefier", "--help"]

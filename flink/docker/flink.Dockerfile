# Flink with the classes of Beam's runner, for application mode: JobManager and TaskManagers.
# The context is the root of the repository, after `make flink-env flink-jar flink-s3`.
ARG BASE=localhost/debian:bookworm-slim

FROM ${BASE}
ARG BASE
ARG BASE_DIGEST
ARG SNAPSHOT
ARG JAVA
ARG FLINK
ARG BEAM
LABEL org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.title="wavefier flink" \
      org.opencontainers.image.version="${FLINK}-beam${BEAM}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV DEBIAN_FRONTEND=noninteractive
COPY flink/docker/sources.sh /tmp/sources.sh
RUN sh /tmp/sources.sh ${SNAPSHOT} && rm /tmp/sources.sh \
    && mkdir -p /usr/share/man/man1 && apt-get update -q \
    && apt-get install -qy --no-install-recommends openjdk-${JAVA}-jre-headless openssl \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt
COPY .flink/distribution/pyflink/bin /opt/flink/bin
COPY .flink/distribution/pyflink/conf /opt/flink/conf
COPY .flink/distribution/pyflink/licenses /opt/flink/licenses
COPY .flink/distribution/pyflink/plugins/metrics-prometheus /opt/flink/plugins/metrics-prometheus
# For checkpoints in an S3 store.
COPY flink/s3/target/plugin/flink-s3-fs-hadoop-${FLINK}.jar /opt/flink/plugins/s3-fs-hadoop/
# Tables, SQL and formats are not used: Beam's runner needs the streams and the log only.
COPY .flink/distribution/pyflink/lib/flink-dist-${FLINK}.jar .flink/distribution/pyflink/lib/log4j-*.jar /opt/flink/lib/
# Here, JobManager and TaskManagers have it without sending it to each other. The job itself is a
# few kilobytes that `wavefier live --application` writes; a pod mounts it beside this.
COPY flink/job-server/target/job-server.jar /opt/flink/usrlib/job-server.jar
RUN mkdir -p /usr/share/wavefier && { \
         echo "${BASE} ${BASE_DIGEST} base"; echo "debian ${SNAPSHOT} snapshot"; \
         dpkg-query --show --showformat '${Package} ${Version} deb\n'; \
         echo "flink ${FLINK} distribution"; echo "beam-runners-flink ${BEAM} jar"; \
         echo "flink-s3-fs-hadoop ${FLINK} jar"; \
       } > /usr/share/wavefier/packages.txt
# The file system of S3 asks for the user's name, and fails where there is none.
RUN echo 'wavefier:x:10001:10001::/tmp:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'wavefier:x:10001:' >> /etc/group
ENV FLINK_HOME=/opt/flink \
    FLINK_LOG_DIR=/tmp/flink-log \
    FLINK_PID_DIR=/tmp \
    PATH=/opt/flink/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp
USER 10001:10001
WORKDIR /tmp
